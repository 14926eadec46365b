"""The sharing rules: which branch is exchanged between whom.  Each fits any network."""

from __future__ import annotations

from collections.abc import Mapping

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.methods.method import SharingRule

ENCODERS = ("backbone", "encoder")
"""The components that turn a modality's samples into features."""


def nothing(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Local training: nobody exchanges anything."""
    return None


def by_task(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """The whole model, among agents with the same modality set."""
    return f"set:{agent.group}"


def by_modality(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """Each encoder among all owners of its modality; all else stays local."""
    return branch.modality if branch.component in ENCODERS else None


def hybrid(branch: Branch, agent: AgentSpec) -> str | None:
    """Encoders by modality, all else by modality set."""
    return by_modality(branch, agent) or by_task(branch, agent)


def partial_alignment(branch: Branch, agent: AgentSpec) -> str | None:  # noqa: ARG001
    """PARSE: every branch among all who own it, on the overlay of its modality or pair."""
    return branch.modality


RULES: Mapping[str, SharingRule] = {
    "local": nothing,
    "task": by_task,
    "modality": by_modality,
    "hybrid": hybrid,
}
"""The rules that any network can be trained under, as in ``parse@hybrid``."""
