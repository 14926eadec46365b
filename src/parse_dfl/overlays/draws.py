"""What a topology may build from: members in their order, the round, and seeded chance."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parse_dfl.branches import stable_hash
from parse_dfl.errors import OverlayError
from parse_dfl.overlays.edges import OverlayWarning, Pairs, is_connected


@dataclass(frozen=True, kw_only=True)
class Draw:
    """All that the edges of one round are a function of.

    ``names`` stand in the order of :func:`parse_dfl.overlays.ordering.order`; a builder answers
    with pairs of places in it.
    """

    names: tuple[str, ...]
    round: int
    seed: int
    label: str

    @property
    def size(self) -> int:
        """Number of members n, at least two when a builder is called."""
        return len(self.names)

    def number(self, *parts: object) -> int:
        """A number of 63 bits that depends on the seed, the label and ``parts`` only."""
        return stable_hash(self.seed, self.label, *parts)

    def lowered(self, what: str, asked: int, largest: int) -> int:
        """``asked``, or with an :class:`OverlayWarning` the largest value that is possible."""
        if asked <= largest:
            return asked
        warnings.warn(
            f"overlay {self.label!r}: {what} {asked} lowered to {largest}, "
            f"the largest that its {self.size} members allow",
            OverlayWarning,
            stacklevel=2,
        )
        return largest


def until_connected(draw: Draw, attempt: Callable[[int], Pairs], hint: str) -> Pairs:
    """The first of the graphs ``attempt(number)`` that is connected.

    Two members have but one connected graph, so nothing is drawn for them.

    Raises:
        OverlayError: no draw was connected; ``hint`` says what to change.
    """
    if draw.size == 2:
        return np.array([[0, 1]])
    attempts = max(20, 10_000 // draw.size)
    for number in range(attempts):
        pairs = attempt(draw.number("attempt", number))
        if is_connected(pairs, draw.size):
            return pairs
    raise OverlayError(
        f"overlay {draw.label!r}: none of {attempts} random graphs over its {draw.size} members "
        f"was connected; {hint}"
    )
