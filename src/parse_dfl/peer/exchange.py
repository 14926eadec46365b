"""The exchange of a peer: send its branches to its neighbours, mix in what they sent."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Condition

import numpy as np

from parse_dfl.branches import Branch
from parse_dfl.methods.robust import Robust
from parse_dfl.overlays.config import OverlayConfig
from parse_dfl.overlays.mixing import Mixing
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peer.arrivals import Arrivals
from parse_dfl.peer.config import PeerConfig
from parse_dfl.peer.guard import Guard
from parse_dfl.peer.identity import Signer
from parse_dfl.peer.inbox import State
from parse_dfl.peer.keys import Keys
from parse_dfl.peer.membership import Membership
from parse_dfl.peer.mixing import End, local_mixing
from parse_dfl.peer.neighbours import Neighbourhood, Neighbours
from parse_dfl.peer.outbox import Outbox
from parse_dfl.peer.receiving import SECOND, Received, Sending, mix_all
from parse_dfl.peer.rows import PeerRows
from parse_dfl.peer.schema import Schema
from parse_dfl.peer.traffic import Traffic
from parse_dfl.peer.transport import Transport
from parse_dfl.training.churn import absent_agents
from parse_dfl.training.learner import Learner
from parse_dfl.training.rows import BranchRows

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
        guard: Guard,
        changed: Condition,
        overlay: OverlayConfig,
        settings: PeerConfig,
        topology: Topology | None = None,
        share_second: bool = False,
    ) -> None:
        self._membership, self._guard, self._own = membership, guard, identity.name
        self._settings, self._overlay = settings, overlay
        self._neighbourhood = Neighbourhood(overlay, topology)
        self._share_second = share_second
        keys = Keys(identity.federation)
        self.outbox = Outbox(
            transport,
            keys,
            identity,
            kept_rounds=settings.window,
            resend_s=settings.deadline_s / 2,
        )
        self.arrivals = Arrivals(
            transport, membership, guard, keys, identity.name, changed, settings
        )

    def exchange(self, learner: Learner) -> Traffic:
        """One round's exchange; the learner's rows become the mixed ones.

        Nothing blocks for longer than the deadline, and every row of W sums to one: the weight
        of a neighbour that did not send stays with the own row.
        """
        places = self._places(learner, learner.round)
        self.arrivals.want(places)
        self.outbox.forget_before(learner.round)
        if self.is_absent(learner):
            return self._traffic(learner, [])
        sent = [self._send(learner, place) for place in places]
        if self._in_lockstep:
            self.arrivals.wait(places, learner.round, lead=self._lead)
        self.arrivals.sort_in(learner.round)
        traffic = self._traffic(learner, sent)
        came = [self._receive(learner, each, traffic) for each in sent]
        received = [each for each in came if each]
        mix_all(received, learner.layout.branches, share_second=self._share_second)
        return traffic

    def prepare(self, learner: Learner) -> None:
        """Listen to those who will be neighbours in the next round, before they send.

        Raises:
            OverlayError: robust mixing is ill-posed for so few neighbours.
        """
        places = self._places(learner, learner.round + 1)
        for place in places:
            rule = learner.stage.exchange(place.branch)
            if isinstance(rule, Robust):
                rule.check(place.branch.label, self._own, len(place.senders))
        self.arrivals.want(places)

    def is_absent(self, learner: Learner) -> bool:
        """Whether this agent misses the round: its own coin, which the others toss alike."""
        agents = learner.layout.agents
        return bool(absent_agents(agents, self._overlay.absence, learner.round))

    @property
    def _in_lockstep(self) -> bool:
        return self._settings.pace == "synchronous"

    @property
    def _lead(self) -> int:
        """By how many rounds a neighbour can be ahead while all is well."""
        steady = not (self._neighbourhood.time_varying or self._overlay.absence)
        return 1 if steady else self._settings.window

    def _places(self, learner: Learner, round: int) -> list[Neighbours]:
        view = self._membership.view()
        agents = [card.agent for card in view.values()]
        away = {agent.name for agent in absent_agents(agents, self._overlay.absence, round)}
        return self._neighbourhood.find(view, self._own, learner.stage, round, away)

    def _send(self, learner: Learner, place: Neighbours) -> Sending:
        rows = learner.layout.branches[place.branch]
        rule, count = learner.stage.exchange(place.branch), len(place.receivers)
        view = PeerRows(rows, learner.layout.branches, place.receivers)
        tensors = rule.send(view, _outgoing(count))
        extra = {SECOND: rows.moments["second"][0]} if self._shares(rows) else {}
        example = {name: value[0] for name, value in tensors.items() if len(value)} | extra
        self._guard.expect(str(place.branch), Schema.of(example))
        self.outbox.post(
            place,
            tensors,
            extra,
            round=learner.round,
            samples=_samples(learner),
        )
        return Sending(place, rows, rule, tensors)

    def _shares(self, rows: BranchRows) -> bool:
        return self._share_second and "second" in rows.moments

    def _receive(self, learner: Learner, each: Sending, traffic: Traffic) -> Received | None:
        """What came of a branch that was sent, if anything did."""
        place = each.place
        found = {a: self._state(a.name, place.branch, learner.round) for a in place.senders}
        came = {agent: state for agent, state in found.items() if state}
        traffic.missing |= {agent.name for agent in found if agent not in came}
        for agent, state in came.items():
            stale = learner.round - (state.header.round if self._in_lockstep else state.arrived)
            traffic.staleness[agent.name] = max(traffic.staleness.get(agent.name, stale), stale)
        if not came:
            return None
        states = list(came.values())
        mixing = self._mixing(learner, place, states, each.over_edges)
        return Received(each, list(came), states, mixing)

    def _state(self, sender: str, branch: Branch, round: int) -> State | None:
        if self._in_lockstep:
            return self.arrivals.states.at(sender, str(branch), round)
        state = self.arrivals.states.newest(sender, str(branch))
        fresh = state is not None and round - state.arrived <= self._settings.window
        return state if fresh else None

    def _mixing(
        self, learner: Learner, place: Neighbours, states: Sequence[State], over_edges: bool
    ) -> Mixing:
        others = [
            End(
                degree=state.header.degree,
                samples=state.header.samples,
                discount=self._discount(learner.round - state.arrived),
            )
            for state in states
        ]
        return local_mixing(
            End(degree=place.degree, samples=_samples(learner)),
            others,
            directed=self._neighbourhood.directed,
            by_samples=self._overlay.by_samples,
            both_ways=over_edges,
        )

    def _discount(self, age: int) -> float:
        """(1 + age)^-a, the age of a state in own rounds: the polynomial staleness function of
        C. Xie, S. Koyejo, I. Gupta, "Asynchronous Federated Optimization", arXiv 1903.03934."""
        return 1.0 if self._in_lockstep else float((1 + max(0, age)) ** -self._settings.staleness)

    def _traffic(self, learner: Learner, sent: Sequence[Sending]) -> Traffic:
        payload: dict[str, int] = {}
        for each in sent:
            numbers = each.rule.floats(each.rows.width)
            numbers += each.rows.width if self._shares(each.rows) else 0
            for agent in each.place.receivers:
                payload[agent.name] = payload.get(agent.name, 0) + numbers * BYTES_PER_NUMBER
        names = {
            each.place.branch.label: [agent.name for agent in each.place.senders] for each in sent
        }
        rounds = self.arrivals.rounds({agent for own in names.values() for agent in own})
        return Traffic(
            round=learner.round,
            payload_bytes=payload,
            neighbours=names,
            rounds=rounds,
            lockstep_lead=self._lead,
            refused_for_round=self.arrivals.refused_for_round,
        )


def _samples(learner: Learner) -> int:
    return int(learner.layout.cohorts[0].data.sizes[0])


def _outgoing(count: int) -> Mixing:
    """The edges over which a peer sends: from its own row to each receiver's."""
    to = np.arange(1, count + 1)
    return Mixing.of(np.zeros_like(to), to, np.zeros(count), size=count + 1)
