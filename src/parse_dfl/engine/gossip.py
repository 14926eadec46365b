"""Run the gossip step: everything that a round's exchange does, in its order.

1. Every branch's aggregation rule says what leaves its rows; shared second moments go along.
2. A channel carries all of it to the neighbours and brings what they sent.
3. Rules that do more than average compute new rows for all branches before any row is written,
   since a rule may read other branches.  What attackers sent is falsified here.
4. Averages and second moments, which read no other branch, come last and in place.

A :class:`Channel` knows where the neighbours are: in this process (:class:`InProcessChannel`), on
other ranks (:mod:`parse_dfl.ranks.halo_exchange`), or across a network
(:mod:`parse_dfl.peers.exchange`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from parse_dfl.branches import Branch, stable_hash
from parse_dfl.byzantine import Attacker
from parse_dfl.engine.neighbourhood import Neighbourhood, NeighbourhoodView, Owned, Owners
from parse_dfl.engine.state import BranchState
from parse_dfl.methods.base import EDGE, Aggregation, BranchView, Messages, Stage
from parse_dfl.overlays.mixing_matrix import MixingMatrix

Task = Callable[[], object]
MixingOf = Callable[[Owned], MixingMatrix]
"""A branch's mixing in one round."""

PARAMETERS = "theta"
"""The name under which averaged parameters travel, as in :class:`Average`'s own messages."""
SECOND_MOMENT = "moment:second"
"""The name under which Adam's second moment travels, where it is shared."""
BYTES_PER_NUMBER = 4
"""Payload is counted in float32, whatever the run computes in."""
PARALLEL_ENTRIES = 1 << 21
"""Averages of fewer entries are done before other threads could help."""


class Link(Protocol):
    """One branch's way to its neighbours in one round."""

    @property
    def outgoing(self) -> Neighbourhood:
        """The rows and edges that the branch's rule sends over."""
        ...

    def send(self, messages: Messages) -> None:
        """Send messages: a row per own row, or (:data:`EDGE`) per outgoing edge."""
        ...

    def incoming(self) -> Neighbourhood | None:
        """Return the rows whose messages have arrived and the own ones; None: nothing arrived."""
        ...

    def received(self, name: str) -> Tensor:
        """Return the messages ``name`` from the rows (or edges) of :meth:`incoming`."""
        ...

    def average(self, name: str, rows: Tensor) -> Iterable[Task]:
        """Return tasks that together, in any order, replace ``rows``, shape=(h, P), by their mix
        with what arrived under ``name``."""
        ...


class Channel(Protocol):
    """The way from this process's rows to their neighbours in one round."""

    def link(self, rows: BranchState) -> Link | None:
        """Return the branch's link, None where nobody exchanges it."""
        ...

    def deliver(self) -> None:
        """Deliver the messages of all links; afterwards the links hold those that arrived."""
        ...


class InProcessChannel:
    """All owners of every branch are rows of this process: nothing has to be carried."""

    def __init__(self, mixing_of: MixingOf) -> None:
        self._mixing_of = mixing_of

    def link(self, rows: BranchState) -> Link | None:
        """Return the branch's link, None where nobody exchanges it."""
        mixing = self._mixing_of(rows)
        if not len(mixing.source):
            return None
        return _InProcessLink(Neighbourhood(agents=rows.agents, mixing=mixing))

    def deliver(self) -> None:
        """Do nothing: messages are there once they are sent."""


@dataclass
class _InProcessLink:
    outgoing: Neighbourhood
    _messages: Messages = field(default_factory=dict)

    def send(self, messages: Messages) -> None:
        self._messages = messages

    def incoming(self) -> Neighbourhood:
        return self.outgoing

    def received(self, name: str) -> Tensor:
        return self._messages[name]

    def average(self, name: str, rows: Tensor) -> Iterable[Task]:  # noqa: ARG002
        return self.outgoing.mixing.column_blocks(rows)


@dataclass(frozen=True)
class Payload:
    """Bytes that crossed directed links in one round, without framing."""

    total_bytes: int
    links: int
    largest_bytes: int

    @property
    def mean_bytes(self) -> float:
        """Bytes per directed pair that exchanged anything."""
        return self.total_bytes / self.links if self.links else 0.0


@dataclass
class _Exchange:
    """One branch on its way through the step."""

    rows: BranchState
    rule: Aggregation
    link: Link
    names: tuple[str, ...] = ()  # of the messages that the rule sent


def run_in_turn(tasks: Iterable[Task]) -> None:
    """Run one task after another."""
    for task in tasks:
        task()


class Gossip:
    """The exchange step of all branches.

    Args:
        share_second: whether Adam's second moments are averaged together with the parameters.
        attackers: agents that send something else than what they have; only a process that trains
            both ends of an edge, or knows what the sender is, can be told of them.
        run: runs the tasks of large averages, perhaps several at a time.
    """

    def __init__(
        self,
        *,
        share_second: bool,
        attackers: Iterable[Attacker] = (),
        run: Callable[[Iterable[Task]], None] = run_in_turn,
    ) -> None:
        self._share_second = share_second
        self._attackers = {attacker.agent: attacker for attacker in attackers}
        self._run = run

    def step(
        self, branches: Mapping[Branch, BranchState], stage: Stage, channel: Channel, *, round: int
    ) -> None:
        """Exchange: replace every branch's rows by what its rule makes of all neighbours' rows."""
        exchanges = [
            _Exchange(rows, stage.exchange(rows.branch), link)
            for rows in branches.values()
            if (link := channel.link(rows)) is not None
        ]
        for exchange in exchanges:
            self._send(exchange, branches)
        channel.deliver()
        mixed: list[tuple[Tensor, Tensor]] = []
        averages: list[tuple[Link, str, Tensor]] = []
        for exchange in exchanges:
            incoming, rows = exchange.link.incoming(), exchange.rows
            if incoming is None:
                continue
            if self._in_place(exchange.rule):
                averages.append((exchange.link, PARAMETERS, rows.params))
            else:
                mixed.append((rows.params, self._receive(exchange, incoming, branches, round)))
            if self._share_second:
                averages.append((exchange.link, SECOND_MOMENT, rows.moments["second"]))
        for params, new in mixed:
            params.copy_(new)
        tasks = [task for link, name, matrix in averages for task in link.average(name, matrix)]
        is_large = sum(matrix.numel() for _, _, matrix in averages) > PARALLEL_ENTRIES
        (self._run if is_large else run_in_turn)(tasks)

    def _in_place(self, rule: Aggregation) -> bool:
        """Tell whether the rule is exactly ``W @ θ`` of what everybody has."""
        return rule.averages and not self._attackers

    def _send(self, exchange: _Exchange, branches: Mapping[Branch, BranchState]) -> None:
        rows, rule, link = exchange.rows, exchange.rule, exchange.link
        messages = {PARAMETERS: rows.params}
        if not self._in_place(rule):
            outgoing = link.outgoing
            sent = rule.send(NeighbourhoodView(rows, branches, outgoing), outgoing.mixing)
            messages = {
                name: value if name.startswith(EDGE) else outgoing.select_own(value)
                for name, value in sent.items()
            }
        exchange.names = tuple(messages)
        if self._share_second:
            messages[SECOND_MOMENT] = rows.moments["second"]
        link.send(messages)

    def _receive(
        self,
        exchange: _Exchange,
        incoming: Neighbourhood,
        branches: Mapping[Branch, BranchState],
        round: int,
    ) -> Tensor:
        """Return the own rows after the exchange, shape=(h, P)."""
        sent = {name: exchange.link.received(name) for name in exchange.names}
        view = NeighbourhoodView(exchange.rows, branches, incoming)
        attacked = [self._attackers.get(agent.name) for agent in incoming.agents]
        if not any(attacked):
            return incoming.select_own(exchange.rule.receive(view, sent, incoming.mixing))
        false = _falsify(sent, incoming, attacked, exchange.rows.branch, round)
        return incoming.select_own(
            _receive_under_attack(exchange.rule, view, sent, false, incoming.mixing, attacked)
        )

    def payload(self, owners: Iterable[Owners], stage: Stage, mixing_of: MixingOf) -> Payload:
        """Count the bytes that a step sends, and the directed pairs of agents that send them."""
        listed = list(owners)
        position: dict[object, int] = {}
        for owned in listed:
            for agent in owned.agents:
                position.setdefault(agent, len(position))
        pairs, sizes = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for owned in listed:
            mixing = mixing_of(owned)
            row = np.array([position[agent] for agent in owned.agents])
            size = self.link_bytes(stage.exchange(owned.branch), owned.width)
            pairs.append(row[mixing.source] * len(position) + row[mixing.target])
            sizes.append(np.full(len(mixing.source), size))
        links, number = np.unique(np.concatenate(pairs), return_inverse=True)
        if not len(links):
            return Payload(0, 0, 0)
        link_bytes = np.bincount(number, weights=np.concatenate(sizes))
        return Payload(int(link_bytes.sum()), len(links), int(link_bytes.max()))

    def link_bytes(self, rule: Aggregation, width: int) -> int:
        """Return the bytes that cross a directed edge for a branch of ``width`` parameters."""
        numbers = rule.numbers_sent(width) + (width if self._share_second else 0)
        return numbers * BYTES_PER_NUMBER


def _receive_under_attack(
    rule: Aggregation,
    view: BranchView,
    honest: Messages,
    false: Messages,
    mixing: MixingMatrix,
    attackers: list[Attacker | None],
) -> Tensor:
    """Return the rows after an exchange; attackers themselves go on as if nobody had lied."""
    memory = dict(view.memory)
    undisturbed = rule.receive(view, honest, mixing)
    view.memory.clear()
    view.memory.update(memory)
    mixed = rule.receive(view, false, mixing).clone()
    lying = torch.tensor([attacker is not None for attacker in attackers], device=mixed.device)
    mixed[lying] = undisturbed[lying]
    return mixed


def _falsify(
    sent: Messages,
    incoming: Neighbourhood,
    attackers: list[Attacker | None],
    branch: Branch,
    round: int,
) -> Messages:
    """Return the messages with those of attackers replaced."""
    false = {name: value.clone() for name, value in sent.items()}
    for name, value in false.items():
        over_edges = name.startswith(EDGE)
        senders = incoming.mixing.source if over_edges else np.arange(len(attackers))
        numbers = incoming.edge_numbers if over_edges else incoming.row_numbers
        for position, row in enumerate(senders.tolist()):
            attacker, agent = attackers[row], incoming.agents[row]
            if attacker:
                number = position if numbers is None else int(numbers[position])
                words = (name, branch, round, agent.seed, agent.name, number)
                value[position] = attack(attacker, value[position], *words)
    return false


def attack(attacker: Attacker, honest: Tensor, *words: object) -> Tensor:
    """Return what ``attacker`` sends for the ``honest`` values; noise is a hash of ``words``."""
    if attacker.attack == "random":
        draws = np.random.default_rng(stable_hash("liar", *words))
        noise = torch.from_numpy(draws.standard_normal(honest.shape)).to(honest)
        return attacker.strength * honest.square().mean().sqrt() * noise
    sign = -1 if attacker.attack == "sign-flip" else 1
    return sign * attacker.strength * honest
