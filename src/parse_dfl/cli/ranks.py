"""Commands that torchrun starts on several ranks at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from parse_dfl.process import launch
from parse_dfl.runs.resuming import Kept

Value = TypeVar("Value")


def agreed(read: Callable[[], Value]) -> Value:
    """What ``read`` gives; a user's error on any rank, such as a file that one machine lacks, is
    an error on all.  One process alone pays nothing for it."""
    if launch().size == 1:
        return read()
    from parse_dfl.ranks.group import launched_ranks

    with launched_ranks().raise_together():
        return read()


def kept(read: Callable[[], Kept]) -> Kept:
    """What the first rank reads of a folder, which other machines may not have, on every rank."""
    if launch().size == 1:
        return read()
    from parse_dfl.ranks.group import launched_ranks

    ranks = launched_ranks()
    with ranks.raise_together():
        found = read().to_plain() if ranks.is_main else None
    return Kept.from_plain(ranks.broadcast(found))
