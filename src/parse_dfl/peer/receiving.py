"""What a peer makes of the states that have arrived: the new row of each of its branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.methods.exchange import EDGE, Exchange, Sent
from parse_dfl.overlays.mixing import Mixing
from parse_dfl.peer.inbox import State
from parse_dfl.peer.mixing import average
from parse_dfl.peer.neighbours import Neighbours
from parse_dfl.peer.rows import PeerRows
from parse_dfl.training.rows import BranchRows

SECOND = "moment:second"
"""The name under which Adam's second moment travels, where it is shared."""


@dataclass(frozen=True)
class Sending:
    """A branch that was sent in this round, and what is needed to mix it."""

    place: Neighbours
    rows: BranchRows
    rule: Exchange
    tensors: Sent

    @property
    def over_edges(self) -> bool:
        """Whether something was sent that differs from neighbour to neighbour."""
        return any(name.startswith(EDGE) for name in self.tensors)


@dataclass(frozen=True)
class Received:
    """The same with what came back: ``states`` of ``agents``, one each, and the own row of W."""

    sending: Sending
    agents: Sequence[AgentSpec]
    states: Sequence[State]
    mixing: Mixing


def mix_all(
    received: Sequence[Received], branches: Mapping[Branch, BranchRows], *, share_second: bool
) -> None:
    """Replace every branch's row by what its exchange rule makes of it, all at once.

    Averaging reads no branch but its own: it comes last, in place.
    """
    averaged = [each for each in received if each.sending.rule.averages]
    others = [each for each in received if not each.sending.rule.averages]
    mixed = [(each.sending.rows, _mixed(each, branches)) for each in others]
    for rows, theta in mixed:
        rows.theta.copy_(theta)
    for each in averaged:
        _average(each, "theta", each.sending.rows.theta)
    for each in received:
        if share_second and "second" in each.sending.rows.moments:
            _average(each, SECOND, each.sending.rows.moments["second"])


def _average(received: Received, name: str, own: Tensor) -> None:
    average(own, [state.tensors[name] for state in received.states], received.mixing)


def _mixed(received: Received, branches: Mapping[Branch, BranchRows]) -> Tensor:
    sending = received.sending
    view = PeerRows(sending.rows, branches, received.agents)
    receivers = sending.place.receivers
    edges = [receivers.index(agent) for agent in received.agents] if sending.over_edges else []
    merged = _merged(sending.tensors, received.states, edges)
    return sending.rule.receive(view, merged, received.mixing)[:1]


def _merged(own: Sent, states: Sequence[State], edges: Sequence[int]) -> dict[str, Tensor]:
    """What the own row and the arrived ones sent, in the order of the mixing's rows and edges.

    ``edges`` are the places among the own edges of those that lead to who has sent something.
    """
    merged = {}
    for name, value in own.items():
        arrived = torch.stack([state.tensors[name] for state in states])
        mine = value[list(edges)] if name.startswith(EDGE) else value[:1]
        merged[name] = torch.cat([mine, arrived])
    return merged
