"""Exchange as a peer: the gossip channel to its neighbours across a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Condition

import numpy as np
import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig, PeerConfig
from parse_dfl.engine.gossip import Gossip, Link, Task
from parse_dfl.engine.neighbourhood import Neighbourhood, absent_agents
from parse_dfl.engine.state import BranchState
from parse_dfl.engine.trainer import Trainer
from parse_dfl.methods.base import EDGE, Messages
from parse_dfl.methods.byzantine_aggregation import Robust
from parse_dfl.overlays.mixing_matrix import MixingMatrix, metropolis_weight
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.delivery import Receiver, Sender, State
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.membership import Membership, NeighbourFinder, Neighbours
from parse_dfl.peers.messages import Schema
from parse_dfl.peers.round_sync import RoundStats
from parse_dfl.peers.transport import Topics, Transport
from parse_dfl.peers.validation import MessageValidator


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of an overlay's edge.  ``discount`` in [0, 1] is how much of its weight a state
    still has."""

    degree: int
    samples: int
    discount: float = 1.0


def local_mixing(
    peer: End,
    others: Sequence[End],
    *,
    directed: bool = False,
    by_samples: bool = False,
    both_ways: bool = False,
) -> MixingMatrix:
    """Return the mixing over rows (own, others...), of which the first row is the peer's own.

    Each other's weight is the Metropolis weight of the two degrees (1/2 where directed), times
    its discount; what is missing to one stays with the own row, so that the row sums to one
    whatever arrived.  ``both_ways`` adds the edges from the own row to the others, first, for
    rules that send something of its own over each edge.
    """
    count = len(others)
    degrees = np.array([end.degree for end in others], dtype=np.int64)
    samples = np.array([end.samples for end in others], dtype=np.int64)
    discount = np.array([end.discount for end in others], dtype=np.float64)
    ratio = samples / peer.samples if by_samples else 1.0
    undiscounted = (
        np.full(count, 0.5)
        if directed
        else metropolis_weight(peer.degree, degrees, sample_ratio=ratio)
    )
    theirs, here = np.arange(1, count + 1), np.zeros(count, dtype=np.int64)
    weight = undiscounted * discount
    if not both_ways:
        return MixingMatrix.of(theirs, here, weight, size=count + 1)
    return MixingMatrix.of(
        np.concatenate([here, theirs]),
        np.concatenate([theirs, here]),
        np.concatenate([weight, weight]),
        size=count + 1,
    )


@torch.no_grad()
def average_in_place(values: Tensor, others: Sequence[Tensor], mixing: MixingMatrix) -> None:
    """Replace ``values``, shape=(1, P), by the first row of W times (values, others...).

    Only that row is computed and nothing is copied together: the others, each shape=(P,), lie
    where they arrived.
    """
    to_own = mixing.target == 0
    values.mul_(float(mixing.self_weight[0]))
    for row, weight in zip(mixing.source[to_own], mixing.weight[to_own], strict=True):
        values.add_(others[row - 1], alpha=float(weight))


class PeerLink:
    """One branch's way to its neighbours' processes (:class:`~parse_dfl.engine.gossip.Link`).

    Rows are (own, others...): its receivers on the way out, those that sent something on the way
    in.
    """

    def __init__(self, channel: PeerChannel, neighbours: Neighbours, rows: BranchState) -> None:
        self._channel, self._neighbours, self._rows = channel, neighbours, rows
        self._messages: Messages = {}
        self._states: dict[AgentSpec, State] = {}  # what has arrived, by sender

    @property
    def outgoing(self) -> Neighbourhood:
        """The own row, and an edge from it to each receiver's."""
        receivers = self._neighbours.receivers
        targets = np.arange(1, len(receivers) + 1)
        weight = np.zeros(len(receivers))
        edges = MixingMatrix.of(np.zeros_like(targets), targets, weight, size=len(receivers) + 1)
        return self._among(receivers, edges)

    def send(self, messages: Messages) -> None:
        """Send the branch to its receivers."""
        self._messages = messages
        self._channel.post(self._neighbours, messages)

    def incoming(self) -> Neighbourhood | None:
        """Return the own row and those of the neighbours whose states are there."""
        self._states = self._channel.arrived(self._neighbours)
        if not self._states:
            return None
        both_ways = any(name.startswith(EDGE) for name in self._messages)
        states = list(self._states.values())
        self._mixing = self._channel.mixing(self._neighbours, states, both_ways=both_ways)
        return self._among(self._states, self._mixing)

    def received(self, name: str) -> Tensor:
        """Return the messages ``name`` of the own row, then those of the others (rows or edges)."""
        arrived = torch.stack([state.tensors[name] for state in self._states.values()])
        sent = self._messages[name]
        if name.startswith(EDGE):
            receivers = self._neighbours.receivers
            sent = sent[[receivers.index(agent) for agent in self._states]]
        return torch.cat([sent, arrived])

    def average(self, name: str, rows: Tensor) -> Iterable[Task]:
        """Return the task of mixing the own row with what arrived."""
        others = [state.tensors[name] for state in self._states.values()]
        return [partial(average_in_place, rows, others, self._mixing)]

    def _among(self, others: Iterable[AgentSpec], mixing: MixingMatrix) -> Neighbourhood:
        agents = [*self._rows.agents, *others]
        return Neighbourhood(agents=agents, mixing=mixing, own_rows=np.zeros(1, dtype=np.int64))


class PeerChannel:
    """The way from a peer's rows to its neighbours in one round.

    Every row of W sums to one: the weight of a neighbour that did not send stays with the own row.
    """

    def __init__(
        self, exchanger: PeerExchanger, trainer: Trainer, neighbours: Sequence[Neighbours]
    ) -> None:
        self._exchanger = exchanger
        self._round, self._samples = trainer.round, int(trainer.layout.stacks[0].data.sizes[0])
        self._neighbours = {group.branch: group for group in neighbours}
        self.missing: set[str] = set()
        """Neighbours whose state did not come in time."""
        self.staleness: dict[str, int] = {}
        """By how many rounds the states that were taken are behind."""

    def link(self, rows: BranchState) -> Link | None:
        """Return the branch's link, None where nobody exchanges it."""
        neighbours = self._neighbours.get(rows.branch)
        return None if neighbours is None else PeerLink(self, neighbours, rows)

    def post(self, neighbours: Neighbours, messages: Messages) -> None:
        """Send a branch to its receivers, and expect the like from its senders."""
        example = {name: value[0] for name, value in messages.items() if len(value)}
        self._exchanger.validator.expect(str(neighbours.branch), Schema.of(example))
        self._exchanger.outbox.post(
            neighbours, messages, {}, round=self._round, samples=self._samples
        )

    def deliver(self) -> None:
        """Wait for the neighbours' states in synchronous rounds, and validate what has come."""
        exchanger = self._exchanger
        if exchanger.in_lockstep:
            neighbours = list(self._neighbours.values())
            exchanger.arrivals.wait(neighbours, self._round, lead=exchanger.lead)
        exchanger.arrivals.sort_in(self._round)

    def arrived(self, neighbours: Neighbours) -> dict[AgentSpec, State]:
        """Return the states of a branch's senders that are there."""
        states: dict[AgentSpec, State] = {}
        for agent in neighbours.senders:
            state = self._state(agent.name, neighbours.branch)
            if state is None:
                self.missing.add(agent.name)
                continue
            states[agent] = state
            came = state.header.round if self._exchanger.in_lockstep else state.arrived
            stale = self._round - came
            self.staleness[agent.name] = max(self.staleness.get(agent.name, stale), stale)
        return states

    def _state(self, sender: str, branch: Branch) -> State | None:
        states, settings = self._exchanger.arrivals.states, self._exchanger.settings
        if self._exchanger.in_lockstep:
            return states.at(sender, str(branch), self._round)
        state = states.newest(sender, str(branch))
        is_fresh = state is not None and self._round - state.arrived <= settings.window
        return state if is_fresh else None

    def mixing(
        self, neighbours: Neighbours, states: Sequence[State], *, both_ways: bool
    ) -> MixingMatrix:
        """Return the own row of W."""
        others = [
            End(
                degree=state.header.degree,
                samples=state.header.samples,
                discount=self._discount(self._round - state.arrived),
            )
            for state in states
        ]
        return local_mixing(
            End(degree=neighbours.degree, samples=self._samples),
            others,
            directed=self._exchanger.neighbourhood.directed,
            by_samples=self._exchanger.overlay.by_samples,
            both_ways=both_ways,
        )

    def _discount(self, age: int) -> float:
        """Return (1 + age)^-a, the age of a state in own rounds: the polynomial staleness function
        of C. Xie, S. Koyejo, I. Gupta, "Asynchronous Federated Optimization", arXiv 1903.03934."""
        if self._exchanger.in_lockstep:
            return 1.0
        return float((1 + max(0, age)) ** -self._exchanger.settings.staleness)


class PeerExchanger:
    """Exchanges the branches of one agent.

    ``outbox`` sends and ``arrivals`` receives; the other attributes are what the rounds' channels
    share.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        membership: Membership,
        identity: Signer,
        validator: MessageValidator,
        changed: Condition,
        overlay: OverlayConfig,
        settings: PeerConfig,
        topology: Topology | None = None,
        share_second: bool = False,
    ) -> None:
        self._membership, self._name = membership, identity.name
        self.settings, self.overlay, self.validator = settings, overlay, validator
        self.neighbourhood = NeighbourFinder(overlay, topology)
        self._gossip = Gossip(share_second=share_second)
        keys = Topics(identity.federation)
        self.outbox = Sender(
            transport,
            keys,
            identity,
            kept_rounds=settings.window,
            resend_s=settings.deadline_s / 2,
        )
        self.arrivals = Receiver(
            transport, membership, validator, keys, identity.name, changed, settings
        )

    def exchange(self, trainer: Trainer) -> RoundStats:
        """Run one round's exchange; the trainer's rows become the mixed ones.

        Nothing blocks for longer than the deadline.
        """
        neighbours = self.find_neighbours(trainer, trainer.round)
        self.arrivals.want(neighbours)
        self.outbox.forget_before(trainer.round)
        if self.is_absent(trainer):
            return self._stats(trainer, [])
        channel = PeerChannel(self, trainer, neighbours)
        self._gossip.step(trainer.layout.branches, trainer.stage, channel, round=trainer.round)
        stats = self._stats(trainer, neighbours)
        stats.missing, stats.staleness = channel.missing, channel.staleness
        return stats

    def prepare(self, trainer: Trainer) -> None:
        """Listen to those who will be neighbours in the next round, before they send.

        Raises:
            OverlayError: robust mixing is ill-posed for so few neighbours.
        """
        neighbours = self.find_neighbours(trainer, trainer.round + 1)
        for group in neighbours:
            rule = trainer.stage.exchange(group.branch)
            if isinstance(rule, Robust):
                rule.check(group.branch.label, self._name, len(group.senders))
        self.arrivals.want(neighbours)

    def is_absent(self, trainer: Trainer) -> bool:
        """Tell whether this agent misses the round: from its hash, which the others know alike."""
        agents = trainer.layout.agents
        return bool(absent_agents(agents, self.overlay.absence, trainer.round))

    def find_neighbours(self, trainer: Trainer, round: int) -> list[Neighbours]:
        """Return the neighbours of a round on every branch that is exchanged."""
        view = self._membership.view()
        agents = [info.agent for info in view.values()]
        absent = {agent.name for agent in absent_agents(agents, self.overlay.absence, round)}
        return self.neighbourhood.find(view, self._name, trainer.stage, round, absent)

    @property
    def in_lockstep(self) -> bool:
        """Whether rounds of different agents are the same rounds."""
        return self.settings.pace == "synchronous"

    @property
    def lead(self) -> int:
        """By how many rounds a neighbour can be ahead while all is well."""
        is_steady = not (self.neighbourhood.time_varying or self.overlay.absence)
        return 1 if is_steady else self.settings.window

    def _stats(self, trainer: Trainer, exchanged: Sequence[Neighbours]) -> RoundStats:
        payload: dict[str, int] = {}
        senders: dict[str, list[str]] = {}
        for group in exchanged:
            rule, rows = trainer.stage.exchange(group.branch), trainer.layout.branches[group.branch]
            for agent in group.receivers:
                size = self._gossip.link_bytes(rule, rows.width)
                payload[agent.name] = payload.get(agent.name, 0) + size
            senders[group.branch.label] = [agent.name for agent in group.senders]
        return RoundStats(
            round=trainer.round,
            payload_bytes=payload,
            neighbours=senders,
            rounds=self.arrivals.rounds({name for names in senders.values() for name in names}),
            lockstep_lead=self.lead,
            refused_for_round=self.arrivals.refused_for_round,
        )
