"""In which round to be: the others', whether this agent fell behind or ran ahead alone.

Rounds drift apart when an agent hangs, or while the network is cut.  Beyond the guard's window
messages are refused on either side, so that somebody has to move, or they never meet again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence

from parse_dfl.peer.traffic import Traffic
from parse_dfl.training.learner import Learner


def common_round(own: int, others: Iterable[int]) -> int:
    """The round in which all should be: the (upper) median, the own one counted as well.

    Agents that know of the same rounds agree on it, and it lies between rounds of honest agents
    while the liars are fewer than half.
    """
    return statistics.median_high([own, *others])


class Lockstep:
    """Keeps a learner in the round of the others.

    Args:
        learner: who is moved.
        ask: asks the living how far they are; it may take seconds.
        note: hears of every move.
        window: so many rounds ahead of the others are no reason to go back.
        pause_s: after a question that moved nobody, the next is asked only after so long.
        clock: seconds.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        ask: Callable[[], Sequence[int]],
        note: Callable[[str], None],
        window: int,
        pause_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._learner, self._ask, self._note = learner, ask, note
        self._window, self._pause_s, self._clock = window, pause_s, clock
        self._quiet_until = float("-inf")

    def catch_up(self) -> None:
        """Go to the round of the others if that is further on."""
        self._advance(self._target())

    def keep(self, traffic: Traffic) -> None:
        """After a round: go to the others if they are elsewhere, be it ahead or far behind."""
        if not traffic.out_of_step or self._clock() < self._quiet_until:
            return
        target = self._target()
        if not (self._advance(target) or self._return(target)):
            self._quiet_until = self._clock() + self._pause_s

    def _advance(self, target: int) -> bool:
        own = self._learner.round
        if target > own:
            self._note(f"goes from round {own} to {target}, to the others")
            self._learner.skip_to(target)
        return self._learner.round != own

    def _return(self, target: int) -> bool:
        own = self._learner.round
        if target < own - self._window:
            self._learner.return_to(target)
            self._note(f"ran ahead alone: returns from round {own} to {self._learner.round}")
        return self._learner.round != own

    def _target(self) -> int:
        common = common_round(self._learner.round, self._ask())
        return min(common, self._learner.training.rounds)
