"""Who is there and will never exchange anything with this agent, and why: said, not suffered."""

from __future__ import annotations

from collections.abc import Mapping

from parse_dfl.peers.announcement import PeerInfo


def strangers(view: Mapping[str, PeerInfo], own: str) -> dict[str, str]:
    """Name → what keeps an agent apart though it owns the same kind of branch.

    Sites that disagree on a setting (the seed, a width, the number of classes) would otherwise
    train side by side without a word.
    """
    me = view[own]
    mine = {branch.label: branch for branch in me.branches}
    found = {}
    for name, info in view.items():
        if info.seed != me.seed:
            found[name] = f"has seed {info.seed}, this agent {me.seed}"
            continue
        apart = [b.label for b in info.branches if mine.get(b.label, b) != b]
        if apart:
            found[name] = f"has another architecture of {', '.join(sorted(apart))}"
    return found
