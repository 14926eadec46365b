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
    """Every slice of a run, all over the same samples."""

    label: NDArray[np.int64]  # shape=(samples,)
    slices: tuple[Slice, ...]

    def of_kind(self, kind: str) -> list[Slice]:
        """The slices of a kind that can be drawn together: of the width most of them have."""
        found = [piece for piece in self.slices if piece.kind == kind]
        widths = [piece.values.shape[1] for piece in found]
        return [piece for piece in found if widths.count(piece.values.shape[1]) * 2 > len(widths)]


def read_slices(run: Run) -> Slices | None:
    """The slices of a run, without those that hold NaN; None where the run left none.

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
        pieces = [_slice(name, values, len(label)) for name, values in arrays.items()]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecordError(f"cannot read {path} ({error}); run it again") from error
    whole = tuple(piece for piece in pieces if np.isfinite(piece.values).all())
    return Slices(label=label, slices=whole) if whole else None


def _slice(name: str, values: NDArray[np.generic], samples: int) -> Slice:
    group, _, rest = name.partition("/")
    kind, _, owner = rest.partition(".")
    if kind not in KINDS or not owner:
        raise ValueError(f"{name!r} is not GROUP/KIND.OWNER with KIND one of {', '.join(KINDS)}")
    if values.ndim != 2 or len(values) != samples or not values.shape[1]:
        raise ValueError(f"{name!r} has shape {values.shape}, not ({samples}, width)")
    return Slice(group=group, kind=kind, owner=owner, values=values.astype(np.float64))
