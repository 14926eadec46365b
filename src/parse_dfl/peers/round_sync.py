"""Round synchronisation: which round to be in, and how fast to go.

In which round to be: the others', whether this agent fell behind or ran ahead alone.

Rounds drift apart when an agent hangs, or while the network is cut.  Beyond the validator's window
messages are refused on either side, so that somebody has to move, or they never meet again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence

from parse_dfl.engine.trainer import Trainer
from parse_dfl.peers.round_stats import RoundStats


class RoundPacer:
    """The pause after a round, so that a round lasts ``least_round_s`` seconds at least.

    It counts from the end of an exchange to the beginning of the next.  In lockstep all end an
    exchange at about the same time, when the slowest has sent; so whoever pauses from then on, as
    the others do, keeps nobody waiting.  Counted from the beginning of a round, early ones would
    wait for late ones in every round anew.
    """

    def __init__(
        self, least_round_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._least_round_s, self._clock = least_round_s, clock
        self._begin_at = float("-inf")

    def exchanged(self, *, trained_s: float) -> None:
        """An exchange is over; the training before it took so long, and so will the next."""
        self._begin_at = self._clock() + self._least_round_s - trained_s

    def pause_s(self) -> float:
        """The seconds that are left to the beginning of the next round."""
        return max(0.0, self._begin_at - self._clock())


def common_round(own: int, others: Iterable[int]) -> int:
    """The round in which all should be: the (upper) median, the own one counted as well.

    Agents that know of the same rounds agree on it, and it lies between rounds of honest agents
    while the attackers are fewer than half.
    """
    return statistics.median_high([own, *others])


class RoundSync:
    """Keeps a trainer in the round of the others.

    Args:
        trainer: who is moved.
        ask: asks the living how far they are; it may take seconds.
        note: hears of every move.
        window: so many rounds ahead of the others are no reason to go back.
        pause_s: after a question that moved nobody, the next is asked only after so long.
        clock: seconds.
    """

    def __init__(
        self,
        trainer: Trainer,
        *,
        ask: Callable[[], Sequence[int]],
        note: Callable[[str], None],
        window: int,
        pause_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._learner, self._ask, self._note = trainer, ask, note
        self._window, self._pause_s, self._clock = window, pause_s, clock
        self._quiet_until = float("-inf")

    def catch_up(self) -> None:
        """Go to the round of the others if that is further on."""
        self._advance(self._target())

    def keep(self, traffic: RoundStats) -> None:
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
