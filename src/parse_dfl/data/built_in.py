"""Make the built-in sets: ``digits``, real and small, and ``synthetic``, of known information.

Both need no file of the user's; what may follow their names (``digits:4``,
``synthetic:noise=0.3``) is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.errors import DataError, nearest
from parse_dfl.text import real, whole

PARTS = (2, 4, 8)
"""Numbers of equal horizontal bands that eight rows can be cut into."""

_BRIGHTEST = 16.0
_DIGITS_FILE = "datasets/data/digits.csv.gz"
"""In scikit-learn's package: a row an image, its pixels and its digit."""


def digits(parts: int = 2) -> MultimodalData:
    """Read scikit-learn's handwritten digits, each image seen in parts by several cameras.

    1797 images of 8 x 8 pixels, 10 classes, bundled with scikit-learn: real, offline, instant.
    Their file is read without importing the library, which takes seconds in every process.
    Two parts are called ``top`` and ``bottom``, more ``part1``, ``part2``, …, from the top; each
    is a vector of 64 / ``parts`` pixels between 0 and 1.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 80, 1998.

    Raises:
        DataError: ``parts`` does not divide the eight rows.
    """
    if parts not in PARTS:
        raise DataError(f"digits cannot be cut into {parts} parts; use one of 2, 4, 8")
    table = np.loadtxt(_digits_path(), delimiter=",", dtype=np.float32)
    pixels = table[:, :-1] / _BRIGHTEST
    names = ("top", "bottom") if parts == 2 else [f"part{part + 1}" for part in range(parts)]
    bands = np.split(pixels, parts, axis=1)
    return from_mapping(
        "digits" if parts == 2 else f"digits:{parts}",
        dict(zip(names, bands, strict=True)),
        table[:, -1].astype(np.int64),
        kinds=dict.fromkeys(names, Kind.VECTOR),
    )


def _digits_path() -> Path:
    spec = find_spec("sklearn")
    path = Path(spec.origin).parent / _DIGITS_FILE if spec and spec.origin else Path(_DIGITS_FILE)
    if not path.exists():
        raise DataError(f"scikit-learn's digits are not at {path}; install scikit-learn again")
    return path


Bits = NDArray[np.int64]  # shape=(samples,), 0 or 1

MOST_LABEL_BITS = 10


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """``redundant``: label bits that all see; ``unique``: label bits per modality; ``synergy``:
    label bits per pair of neighbouring modalities; ``modalities``: how many, named a, b, c, …;
    ``dims``: features per modality; ``noise``: its standard deviation (a bit is ±1)."""

    redundant: int = 1
    unique: int = 1
    synergy: int = 1
    modalities: int = 2
    samples: int = 4000
    dims: int = 16
    noise: float = 0.3
    seed: int = 0

    @classmethod
    def from_string(cls, options: str) -> SyntheticConfig:
        """Read the text after ``synthetic:``, such as ``"noise=0.3,samples=4000"``.

        Raises:
            DataError: an unknown option or a value that is not a number of its type.
        """
        types = {key: type(default) for key, default in asdict(cls()).items()}
        values: dict[str, Any] = {}
        for part in filter(None, options.split(",")):
            key, _, text = (piece.strip() for piece in part.partition("="))
            if key not in types:
                raise DataError(f"unknown option {key!r} of synthetic{nearest(key, types)}")
            if key in values:
                raise DataError(f"option {key!r} of synthetic is given twice; give it once")
            value = whole(text) if types[key] is int else real(text)
            if value is None:
                raise DataError(
                    f"option {key}={text} of synthetic is not of type {types[key].__name__}"
                )
            values[key] = value
        return cls(**values)

    @property
    def label_bits(self) -> int:
        """Number of bits of the label; there are two to that power classes."""
        pairs = self.modalities - 1
        return self.redundant + self.modalities * self.unique + pairs * self.synergy


def synthetic(config: SyntheticConfig | None = None, *, name: str = "synthetic") -> MultimodalData:
    """Draw labels of bits whose redundant, unique and synergistic parts are known.

    The label is the concatenation of independent fair bits:

    - redundant bits, seen by every modality;
    - unique bits, each seen by one modality;
    - synergistic bits, each the exclusive or (the product, in signs) of two private *keys*, one in
      each of two neighbouring modalities (a with b, b with c, …).  A key alone says nothing about
      the label, and no sum of what the two modalities say separately gives the bit.

    A modality's vector is a fixed random two-layer mixing of its bits b, as signs, in noise:
    x = tanh((b + noise · ε) A + c) B with ε ~ N(0, I).  The noise enters before the mixing, so that
    no reader, however good, gets a bit that one modality sees right more often than Φ(1 / noise).

    The true bits come back as ``factors``.
    Factors are called ``redundant``, ``unique_a``, ``synergy``, ``key_a``, ``key_b``; with more
    than two modalities synergy and keys name their pair (``synergy_ab``, ``key_ab_a``); several
    bits of a sort are numbered from 1 (``redundant1``, ``redundant2``).

    Raises:
        DataError: a setting out of its range.
    """
    config = config or SyntheticConfig()
    _check_ranges(config)
    rng = np.random.default_rng(config.seed)
    names = tuple(ascii_lowercase[: config.modalities])
    classes = 2**config.label_bits
    label = rng.permutation(np.arange(config.samples) % classes)  # every class, equally often
    factors, seen = _factors(config, names, _bits_of(label, config.label_bits), rng)
    return from_mapping(
        name,
        {modality: _mixed(config, np.stack(bits, axis=1), rng) for modality, bits in seen.items()},
        label,
        label_names=[format(value, f"0{config.label_bits}b") for value in range(classes)],
        kinds=dict.fromkeys(names, Kind.VECTOR),
        factors=factors,
    )


def _check_ranges(config: SyntheticConfig) -> None:
    ranges: Mapping[str, tuple[float, float]] = {
        "redundant": (0, MOST_LABEL_BITS),
        "unique": (0, MOST_LABEL_BITS),
        "synergy": (0, MOST_LABEL_BITS),
        "modalities": (2, 8),
        "dims": (1, 4096),
        "noise": (0, 100),
        "seed": (0, 2**63),
        "samples": (1, 10**7),
    }
    for key, (least, most) in ranges.items():
        value = getattr(config, key)
        if not least <= value <= most:
            raise DataError(f"{key}={value} of synthetic must lie between {least:g} and {most:g}")
    if not 1 <= config.label_bits <= MOST_LABEL_BITS:
        raise DataError(
            f"synthetic labels of {config.label_bits} bits cannot be made; "
            f"use 1 to {MOST_LABEL_BITS}"
        )
    if config.samples < 2**config.label_bits:
        raise DataError(
            f"samples={config.samples} of synthetic do not cover {2**config.label_bits} classes"
        )


def _bits_of(label: NDArray[np.int64], count: int) -> list[Bits]:
    """Return the label's bits, the most significant first."""
    return [label >> (count - 1 - bit) & 1 for bit in range(count)]


def _factors(
    config: SyntheticConfig,
    names: tuple[str, ...],
    label_bits: list[Bits],
    rng: np.random.Generator,
) -> tuple[dict[str, Bits], dict[str, list[Bits]]]:
    """Return all true bits by name, and the bits that each modality sees."""
    queue = iter(label_bits)
    factors: dict[str, Bits] = {}
    seen: dict[str, list[Bits]] = {name: [] for name in names}
    for suffix in _numbers(config.redundant):
        bit = factors[f"redundant{suffix}"] = next(queue)
        for name in names:
            seen[name].append(bit)
    for name in names:
        for suffix in _numbers(config.unique):
            bit = factors[f"unique_{name}{suffix}"] = next(queue)
            seen[name].append(bit)
    for first, second in pairwise(names):
        pair = f"_{first}{second}" if len(names) > 2 else ""
        for suffix in _numbers(config.synergy):
            bit = factors[f"synergy{pair}{suffix}"] = next(queue)
            key = rng.integers(0, 2, len(bit))
            factors[f"key{pair}_{first}{suffix}"] = key
            factors[f"key{pair}_{second}{suffix}"] = key ^ bit
            seen[first].append(key)
            seen[second].append(key ^ bit)
    return factors, seen


def _numbers(count: int) -> list[str]:
    return [""] if count == 1 else [str(number + 1) for number in range(count)]


def _mixed(config: SyntheticConfig, bits: Bits, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a modality's vectors, shape (samples, dims), of its bits, shape (samples, count)."""
    count, hidden = max(bits.shape[1], 1), 2 * config.dims
    signs = 2.0 * bits - 1.0
    noisy = signs + config.noise * rng.standard_normal(signs.shape)
    inner = rng.standard_normal((bits.shape[1], hidden)) / np.sqrt(count)
    outer = rng.standard_normal((hidden, config.dims)) / np.sqrt(hidden)
    return np.asarray(np.tanh(noisy @ inner + 0.5 * rng.standard_normal(hidden)) @ outer)


def _digits_from_string(parts: str) -> MultimodalData:
    number = whole(parts or "2")
    if number is None:
        raise DataError(f"digits cannot be cut into {parts!r} parts; use one of 2, 4, 8")
    return digits(number)


def _synthetic_from_string(options: str) -> MultimodalData:
    name = f"synthetic:{options}" if options else "synthetic"
    return synthetic(SyntheticConfig.from_string(options), name=name)


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """A built-in set, made from the text that follows its name."""

    description: str
    from_string: Callable[[str], MultimodalData]


BUILT_IN: Mapping[str, BuiltIn] = {
    "digits": BuiltIn(
        description="scikit-learn's handwritten digits, cut in top and bottom halves "
        "(digits:4 for 4 bands)",
        from_string=_digits_from_string,
    ),
    "synthetic": BuiltIn(
        description="labels of redundant, unique and synergistic bits "
        "(synthetic:noise=0.3,samples=4000)",
        from_string=_synthetic_from_string,
    ),
}
