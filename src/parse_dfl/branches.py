"""Name the branches that can be exchanged, by stable hashes; randomness is hashed by them too.

A branch is a component whose parameters are exchanged as one.  Its key is modality + component
+ a hash of its architecture, so that two agents own the same branch exactly when their rows can
be averaged: same role, same architecture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

ANY = "any"
"""The modality of a branch that belongs to no modality in particular (the head g_R)."""


@dataclass(frozen=True, order=True)
class Branch:
    """The key of a branch.

    ``modality`` is a modality, a pair's or set's key, or :data:`ANY`; ``component`` the role
    (``backbone``, ``unique``, ``redundant``, ``synergy``, ``encoder``, ``fusion``, ``head``);
    ``arch`` the :func:`architecture_hash` of the component.
    """

    modality: str
    component: str
    arch: str

    def __str__(self) -> str:
        return f"{self.modality}/{self.component}/{self.arch}"

    @property
    def label(self) -> str:
        """Without the hash, for people: ``acc/backbone``."""
        return f"{self.modality}/{self.component}"


def architecture_hash(*parts: object) -> str:
    """Return a short, stable hash of an architecture's description; equal text, equal hash."""
    return stable_hash(*parts).to_bytes(8, "big").hex()[:8]


def stable_hash(*parts: object) -> int:
    """Return a 63-bit hash of the parts' text, the same in every process and on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


SPLITMIX_SHIFTS = (30, 27, 31)
SPLITMIX_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def splitmix(bits: Any) -> Any:
    """Mix 64-bit words, an array of type uint64, so that any bit changes all.

    The finaliser of SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014.
    """
    first, second, last = SPLITMIX_SHIFTS
    bits = (bits ^ (bits >> first)) * SPLITMIX_FACTORS[0]
    bits = (bits ^ (bits >> second)) * SPLITMIX_FACTORS[1]
    return bits ^ (bits >> last)
