"""The words for a run whose agents have diverged."""

from __future__ import annotations

from collections.abc import Sequence


def sentence(round: int, agents: Sequence[str]) -> str:
    """``15 agents have diverged since round 10 (a-0, a-1, a-2, …)``"""
    shown = ", ".join(agents[:3]) + (", …" if len(agents) > 3 else "")
    many = "agents have" if len(agents) > 1 else "agent has"
    return f"{len(agents)} {many} diverged since round {round} ({shown})"
