"""One row of W from what a peer knows, and the rows that it mixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.engine.state import BranchState, PartialRows
from parse_dfl.methods.base import EDGE, Aggregation, Messages
from parse_dfl.overlays.mixing_matrix import MixingMatrix, metropolis_weight
from parse_dfl.peers.neighbours import Neighbours
from parse_dfl.peers.receiver import State


class PeerRows(PartialRows):
    """Rows (own, neighbours...): the neighbours' repeat the own one, at no cost."""

    def __init__(
        self,
        rows: BranchState,
        branches: Mapping[Branch, BranchState],
        others: Sequence[AgentSpec],
    ) -> None:
        super().__init__(rows, branches)
        self.agents = [*rows.agents, *others]

    def _among_others(self, own: Tensor) -> Tensor:
        return own.expand(len(self.agents), *own.shape[1:])


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of an overlay's edge.  ``discount`` in [0, 1] is how much of its weight a state
    still has."""

    degree: int
    samples: int
    discount: float = 1.0


def local_mixing(
    own: End,
    others: Sequence[End],
    *,
    directed: bool = False,
    by_samples: bool = False,
    both_ways: bool = False,
) -> MixingMatrix:
    """The mixing over rows (own, others...), of which the first row is the peer's own.

    Each other's weight is the Metropolis weight of the two degrees (1/2 where directed), times
    its discount; what is missing to one stays with the own row, so that the row sums to one
    whatever arrived.  ``both_ways`` adds the edges from the own row to the others, first, for
    rules that send something of its own over each edge.
    """
    count = len(others)
    degrees = np.array([end.degree for end in others], dtype=np.int64)
    samples = np.array([end.samples for end in others], dtype=np.int64)
    discount = np.array([end.discount for end in others], dtype=np.float64)
    ratio = samples / own.samples if by_samples else 1.0
    whole = (
        np.full(count, 0.5)
        if directed
        else metropolis_weight(own.degree, degrees, sample_ratio=ratio)
    )
    there, here = np.arange(1, count + 1), np.zeros(count, dtype=np.int64)
    weight = whole * discount
    if not both_ways:
        return MixingMatrix.of(there, here, weight, size=count + 1)
    return MixingMatrix.of(
        np.concatenate([here, there]),
        np.concatenate([there, here]),
        np.concatenate([weight, weight]),
        size=count + 1,
    )


def average(own: Tensor, others: Sequence[Tensor], mixing: MixingMatrix) -> None:
    """Replace ``own``, shape=(1, P), by its row of W times all rows (own, others...), in place.

    Only that row is computed and nothing is copied together: the others, each shape=(P,), lie
    where they arrived.
    """
    to_own = mixing.target == 0
    with torch.no_grad():
        own.mul_(float(mixing.self_weight[0]))
        for row, weight in zip(mixing.source[to_own], mixing.weight[to_own], strict=True):
            own.add_(others[row - 1], alpha=float(weight))


SECOND = "moment:second"
"""The name under which Adam's second moment travels, where it is shared."""


@dataclass(frozen=True)
class Sending:
    """A branch that was sent in this round, and what is needed to mix it."""

    place: Neighbours
    rows: BranchState
    rule: Aggregation
    tensors: Messages

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
    mixing: MixingMatrix


def mix_all(
    received: Sequence[Received], branches: Mapping[Branch, BranchState], *, share_second: bool
) -> None:
    """Replace every branch's row by what its exchange rule makes of it, all at once.

    Averaging reads no branch but its own: it comes last, in place.
    """
    averaged = [each for each in received if each.sending.rule.averages]
    others = [each for each in received if not each.sending.rule.averages]
    mixed = [(each.sending.rows, _mixed(each, branches)) for each in others]
    for rows, theta in mixed:
        rows.params.copy_(theta)
    for each in averaged:
        _average(each, "theta", each.sending.rows.params)
    for each in received:
        if share_second and "second" in each.sending.rows.moments:
            _average(each, SECOND, each.sending.rows.moments["second"])


def _average(received: Received, name: str, own: Tensor) -> None:
    average(own, [state.tensors[name] for state in received.states], received.mixing)


def _mixed(received: Received, branches: Mapping[Branch, BranchState]) -> Tensor:
    sending = received.sending
    view = PeerRows(sending.rows, branches, received.agents)
    receivers = sending.place.receivers
    edges = [receivers.index(agent) for agent in received.agents] if sending.over_edges else []
    merged = _merged(sending.tensors, received.states, edges)
    return sending.rule.receive(view, merged, received.mixing)[:1]


def _merged(own: Messages, states: Sequence[State], edges: Sequence[int]) -> dict[str, Tensor]:
    """What the own row and the arrived ones sent, in the order of the mixing's rows and edges.

    ``edges`` are the places among the own edges of those that lead to who has sent something.
    """
    merged = {}
    for name, value in own.items():
        arrived = torch.stack([state.tensors[name] for state in states])
        mine = value[list(edges)] if name.startswith(EDGE) else value[:1]
        merged[name] = torch.cat([mine, arrived])
    return merged
