"""Branches: what can be exchanged, and the key that says between whom it makes sense.

A branch is a component whose parameters are exchanged as one.  Its key is modality + component
+ the component's signature, so that two agents own the same branch exactly when their rows can
be averaged: same role, same architecture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

ANY = "any"
"""The modality of a branch that belongs to no modality in particular (the head g_R)."""


@dataclass(frozen=True, order=True)
class Branch:
    """The key of a branch.

    ``modality`` is a modality, a pair's or set's key, or :data:`ANY`; ``component`` the role
    (``backbone``, ``unique``, ``redundant``, ``synergy``, ``encoder``, ``fusion``, ``head``);
    ``signature`` a short hash of the component's architecture.
    """

    modality: str
    component: str
    signature: str

    def __str__(self) -> str:
        return f"{self.modality}/{self.component}/{self.signature}"

    @property
    def label(self) -> str:
        """Without the signature, for people: ``acc/backbone``."""
        return f"{self.modality}/{self.component}"


def signature(*parts: object) -> str:
    """A short, stable hash of an architecture's description (equal text, equal signature)."""
    return stable_hash(*parts).to_bytes(8, "big").hex()[:8]


def stable_hash(*parts: object) -> int:
    """A 63-bit hash of the parts' text, the same in every process and on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
