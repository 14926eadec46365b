"""Which true factors of synthetic data belong into which slice.

Label bits are called ``redundant``, ``unique_a``, ``synergy`` (with more than two modalities
``synergy_ab``), numbered where there are several; ``key_a`` are no label bits but what synergy
is made of (:mod:`parse_dfl.data.built_in`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LABEL_BITS = ("redundant", "unique", "synergy")


@dataclass(frozen=True, kw_only=True)
class Purity:
    """``own``: the least accuracy at which a slice's own label bits are read from it; ``other``:
    the greatest of all other label bits, and ``worst`` its name.  None where there are none."""

    own: float | None
    other: float | None
    worst: str | None


def is_label_bit(factor: str) -> bool:
    """Whether a factor is part of the label."""
    return factor.startswith(LABEL_BITS)


def belongs(factor: str, representation: str) -> bool:
    """Whether a label bit belongs into a slice such as ``unique.a`` or ``synergistic.a,b``."""
    kind, _, owner = representation.partition(".")
    name, _, whose = factor.rstrip("0123456789").partition("_")
    owners = owner.replace("+", ",").split(",")
    match kind:
        case "redundant":
            return name == "redundant"
        case "unique":
            return name == "unique" and whose in owners
    return name == "synergy" and whose in ("", "".join(owners))


def purity(representation: str, accuracy: Mapping[str, float]) -> Purity:
    """How purely a slice holds its own label bits, from the accuracy of each factor's reading."""
    bits = [name for name in accuracy if is_label_bit(name)]
    own = [accuracy[name] for name in bits if belongs(name, representation)]
    other = {name: accuracy[name] for name in bits if not belongs(name, representation)}
    worst = max(other, key=other.__getitem__, default=None)
    return Purity(
        own=min(own, default=None),
        other=None if worst is None else other[worst],
        worst=worst,
    )
