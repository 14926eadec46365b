"""The slices of test samples that a PARSE run leaves for the pictures."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parse_dfl.errors import RecordError
from parse_dfl.report.records import SLICES, Run

KINDS = ("redundant", "unique", "synergistic")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One slice of one group's latent; ``owner`` is a modality, or a pair for synergy."""

    group: str
    kind: str
    owner: str
    values: NDArray[np.float64]  # shape=(samples, width)


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Every slice of a run, all over the same samples.

    ``sample`` holds the samples' positions in the data set; windows at most ``reach`` positions
    apart share time steps (0: none do).  ``dropped`` names the slices that hold NaN or infinity.
    """

    label: NDArray[np.int64]  # shape=(samples,)
    slices: tuple[Slice, ...]
    sample: NDArray[np.int64]  # shape=(samples,)
    reach: int = 0
    dropped: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Slice]:
        """The slices of a kind that can be drawn together: of the width most of them have."""
        found = [piece for piece in self.slices if piece.kind == kind]
        widths = [piece.values.shape[1] for piece in found]
        return [piece for piece in found if widths.count(piece.values.shape[1]) * 2 > len(widths)]


def read_slices(run: Run) -> Slices | None:
    """The finite slices of a run; None where the run left none.

    A file without positions or reach is read as samples of which none overlap.

    Raises:
        RecordError: the file is corrupt, or its arrays do not fit together.
    """
    path = run.directory / SLICES
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        label = arrays.pop("label").astype(np.int64)
        sample = arrays.pop("sample", np.arange(len(label))).astype(np.int64)
        reach = int(arrays.pop("reach", np.zeros(())))
        if sample.shape != label.shape:
            raise ValueError(f"'sample' has shape {sample.shape}, not {label.shape}")
        pieces = {name: _slice(name, values, len(label)) for name, values in arrays.items()}
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecordError(f"cannot read {path} ({error}); run it again") from error
    if not pieces:
        return None
    finite = {name: bool(np.isfinite(piece.values).all()) for name, piece in pieces.items()}
    whole = tuple(piece for name, piece in pieces.items() if finite[name])
    dropped = tuple(name for name in pieces if not finite[name])
    return Slices(label=label, slices=whole, sample=sample, reach=reach, dropped=dropped)


def _slice(name: str, values: NDArray[np.generic], samples: int) -> Slice:
    group, _, rest = name.partition("/")
    kind, _, owner = rest.partition(".")
    if kind not in KINDS or not owner:
        raise ValueError(f"{name!r} is not GROUP/KIND.OWNER with KIND one of {', '.join(KINDS)}")
    if values.ndim != 2 or len(values) != samples or not values.shape[1]:
        raise ValueError(f"{name!r} has shape {values.shape}, not ({samples}, width)")
    return Slice(group=group, kind=kind, owner=owner, values=values.astype(np.float64))
