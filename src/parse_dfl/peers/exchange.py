"""The exchange of a peer: send its branches to its neighbours, mix in what they sent."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Condition

import numpy as np

from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig, PeerConfig
from parse_dfl.engine.state import BranchState
from parse_dfl.engine.trainer import Trainer, absent_agents
from parse_dfl.methods.byzantine_aggregation import Robust
from parse_dfl.overlays.mixing_matrix import MixingMatrix
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.identity import Signer
from parse_dfl.peers.local_mixing import (
    SECOND,
    End,
    PeerRows,
    Received,
    Sending,
    local_mixing,
    mix_all,
)
from parse_dfl.peers.membership import Membership
from parse_dfl.peers.message_schema import Schema
from parse_dfl.peers.neighbours import Neighbourhood, Neighbours
from parse_dfl.peers.receiver import Receiver, State
from parse_dfl.peers.round_sync import RoundStats
from parse_dfl.peers.sender import Sender
from parse_dfl.peers.topics import Topics
from parse_dfl.peers.transport import Transport
from parse_dfl.peers.validation import MessageValidator

BYTES_PER_NUMBER = 4
"""Payload is counted in float32, whatever the run computes in (contract)."""


class PeerExchanger:
    """Exchanges the branches of one agent."""

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
        self._membership, self._guard, self._own = membership, validator, identity.name
        self._settings, self._overlay = settings, overlay
        self._neighbourhood = Neighbourhood(overlay, topology)
        self._share_second = share_second
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
        """One round's exchange; the trainer's rows become the mixed ones.

        Nothing blocks for longer than the deadline, and every row of W sums to one: the weight
        of a neighbour that did not send stays with the own row.
        """
        places = self._places(trainer, trainer.round)
        self.arrivals.want(places)
        self.outbox.forget_before(trainer.round)
        if self.is_absent(trainer):
            return self._traffic(trainer, [])
        sent = [self._send(trainer, place) for place in places]
        if self._in_lockstep:
            self.arrivals.wait(places, trainer.round, lead=self._lead)
        self.arrivals.sort_in(trainer.round)
        traffic = self._traffic(trainer, sent)
        came = [self._receive(trainer, each, traffic) for each in sent]
        received = [each for each in came if each]
        mix_all(received, trainer.layout.branches, share_second=self._share_second)
        return traffic

    def prepare(self, trainer: Trainer) -> None:
        """Listen to those who will be neighbours in the next round, before they send.

        Raises:
            OverlayError: robust mixing is ill-posed for so few neighbours.
        """
        places = self._places(trainer, trainer.round + 1)
        for place in places:
            rule = trainer.stage.exchange(place.branch)
            if isinstance(rule, Robust):
                rule.check(place.branch.label, self._own, len(place.senders))
        self.arrivals.want(places)

    def is_absent(self, trainer: Trainer) -> bool:
        """Whether this agent misses the round: its own coin, which the others toss alike."""
        agents = trainer.layout.agents
        return bool(absent_agents(agents, self._overlay.absence, trainer.round))

    @property
    def _in_lockstep(self) -> bool:
        return self._settings.pace == "synchronous"

    @property
    def _lead(self) -> int:
        """By how many rounds a neighbour can be ahead while all is well."""
        steady = not (self._neighbourhood.time_varying or self._overlay.absence)
        return 1 if steady else self._settings.window

    def _places(self, trainer: Trainer, round: int) -> list[Neighbours]:
        view = self._membership.view()
        agents = [info.agent for info in view.values()]
        away = {agent.name for agent in absent_agents(agents, self._overlay.absence, round)}
        return self._neighbourhood.find(view, self._own, trainer.stage, round, away)

    def _send(self, trainer: Trainer, place: Neighbours) -> Sending:
        rows = trainer.layout.branches[place.branch]
        rule, count = trainer.stage.exchange(place.branch), len(place.receivers)
        view = PeerRows(rows, trainer.layout.branches, place.receivers)
        tensors = rule.send(view, _outgoing(count))
        extra = {SECOND: rows.moments["second"][0]} if self._shares(rows) else {}
        example = {name: value[0] for name, value in tensors.items() if len(value)} | extra
        self._guard.expect(str(place.branch), Schema.of(example))
        self.outbox.post(
            place,
            tensors,
            extra,
            round=trainer.round,
            samples=_samples(trainer),
        )
        return Sending(place, rows, rule, tensors)

    def _shares(self, rows: BranchState) -> bool:
        return self._share_second and "second" in rows.moments

    def _receive(self, trainer: Trainer, each: Sending, traffic: RoundStats) -> Received | None:
        """What came of a branch that was sent, if anything did."""
        place = each.place
        found = {a: self._state(a.name, place.branch, trainer.round) for a in place.senders}
        came = {agent: state for agent, state in found.items() if state}
        traffic.missing |= {agent.name for agent in found if agent not in came}
        for agent, state in came.items():
            stale = trainer.round - (state.header.round if self._in_lockstep else state.arrived)
            traffic.staleness[agent.name] = max(traffic.staleness.get(agent.name, stale), stale)
        if not came:
            return None
        states = list(came.values())
        mixing = self._mixing(trainer, place, states, each.over_edges)
        return Received(each, list(came), states, mixing)

    def _state(self, sender: str, branch: Branch, round: int) -> State | None:
        if self._in_lockstep:
            return self.arrivals.states.at(sender, str(branch), round)
        state = self.arrivals.states.newest(sender, str(branch))
        fresh = state is not None and round - state.arrived <= self._settings.window
        return state if fresh else None

    def _mixing(
        self, trainer: Trainer, place: Neighbours, states: Sequence[State], over_edges: bool
    ) -> MixingMatrix:
        others = [
            End(
                degree=state.header.degree,
                samples=state.header.samples,
                discount=self._discount(trainer.round - state.arrived),
            )
            for state in states
        ]
        return local_mixing(
            End(degree=place.degree, samples=_samples(trainer)),
            others,
            directed=self._neighbourhood.directed,
            by_samples=self._overlay.by_samples,
            both_ways=over_edges,
        )

    def _discount(self, age: int) -> float:
        """(1 + age)^-a, the age of a state in own rounds: the polynomial staleness function of
        C. Xie, S. Koyejo, I. Gupta, "Asynchronous Federated Optimization", arXiv 1903.03934."""
        return 1.0 if self._in_lockstep else float((1 + max(0, age)) ** -self._settings.staleness)

    def _traffic(self, trainer: Trainer, sent: Sequence[Sending]) -> RoundStats:
        payload: dict[str, int] = {}
        for each in sent:
            numbers = each.rule.numbers_sent(each.rows.width)
            numbers += each.rows.width if self._shares(each.rows) else 0
            for agent in each.place.receivers:
                payload[agent.name] = payload.get(agent.name, 0) + numbers * BYTES_PER_NUMBER
        names = {
            each.place.branch.label: [agent.name for agent in each.place.senders] for each in sent
        }
        rounds = self.arrivals.rounds({agent for own in names.values() for agent in own})
        return RoundStats(
            round=trainer.round,
            payload_bytes=payload,
            neighbours=names,
            rounds=rounds,
            lockstep_lead=self._lead,
            refused_for_round=self.arrivals.refused_for_round,
        )


def _samples(trainer: Trainer) -> int:
    return int(trainer.layout.stacks[0].data.sizes[0])


def _outgoing(count: int) -> MixingMatrix:
    """The edges over which a peer sends: from its own row to each receiver's."""
    to = np.arange(1, count + 1)
    return MixingMatrix.of(np.zeros_like(to), to, np.zeros(count), size=count + 1)
