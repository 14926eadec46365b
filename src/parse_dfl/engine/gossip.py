"""One gossip step over all branches, its payload, and what attackers send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch, stable_hash
from parse_dfl.byzantine import Attacker
from parse_dfl.engine.layout import Layout
from parse_dfl.engine.mixing_cache import MixingCache, Owned
from parse_dfl.engine.state import BranchState, RowsView
from parse_dfl.engine.workers import Workers
from parse_dfl.methods.base import EDGE, Aggregation, BranchView, Messages, Stage
from parse_dfl.overlays.mixing_matrix import MixingMatrix


@dataclass(frozen=True, kw_only=True)
class Attacks:
    """Who lies, by name, and about which branch in which round.

    ``rows`` and ``edges`` are the numbers, among the whole federation's, of the rows and edges that
    this process sees; None where it sees all.
    """

    attackers: Mapping[str, Attacker]
    branch: Branch
    round: int
    rows: NDArray[np.int64] | None = None
    edges: NDArray[np.int64] | None = None

    def of(self, rows: BranchView) -> list[Attacker | None]:
        """The attacker of each row, None where its owner is honest."""
        return [self.attackers.get(agent.name) for agent in rows.agents]


def exchange_under_attack(
    rule: Aggregation, rows: BranchView, mixing: MixingMatrix, attacks: Attacks
) -> Tensor:
    """The rows after an exchange in which attackers send something else than their own.

    They themselves go on as if they had been honest.
    """
    sent = rule.send(rows, mixing)
    lying = torch.tensor(
        [attacker is not None for attacker in attacks.of(rows)], device=rows.params.device
    )
    if not lying.any():
        return rule.receive(rows, sent, mixing)
    before = dict(rows.memory)
    honest = rule.receive(rows, sent, mixing)
    rows.memory.clear()
    rows.memory.update(before)
    mixed = rule.receive(rows, _falsified(sent, rows, mixing, attacks), mixing).clone()
    mixed[lying] = honest[lying]
    return mixed


def _falsified(
    sent: Messages, rows: BranchView, mixing: MixingMatrix, attacks: Attacks
) -> Messages:
    false = {name: value.clone() for name, value in sent.items()}
    lying = attacks.of(rows)
    for name, value in false.items():
        over_edges = name.startswith(EDGE)
        senders = mixing.source if over_edges else np.arange(len(lying))
        numbers = attacks.edges if over_edges else attacks.rows
        for place, row in enumerate(senders.tolist()):
            attacker, agent = lying[row], rows.agents[row]
            if attacker:
                number = place if numbers is None else int(numbers[place])
                words = (name, attacks.branch, attacks.round, agent.seed, agent.name, number)
                value[place] = attack(attacker, value[place], *words)
    return false


def attack(attacker: Attacker, honest: Tensor, *words: object) -> Tensor:
    """What ``attacker`` sends in place of ``honest``; what is random follows from the ``words``."""
    if attacker.attack == "random":
        draws = np.random.default_rng(stable_hash("liar", *words))
        noise = torch.from_numpy(draws.standard_normal(honest.shape)).to(honest)
        return attacker.strength * honest.square().mean().sqrt() * noise
    sign = -1 if attacker.attack == "sign-flip" else 1
    return sign * attacker.strength * honest


BYTES_PER_NUMBER = 4
"""Payload is counted in float32, whatever the run computes in (contract)."""

ALONE_ENTRIES = 1 << 21
"""Up to this, mixing is over before others could help."""


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


class Owners(Owned, Protocol):
    """A branch and who owns it, wherever their rows are."""

    @property
    def width(self) -> int:
        """Number of parameters P."""
        ...


class Exchanger:
    """Mixes all branches of a layout."""

    def __init__(
        self,
        book: MixingCache,
        *,
        share_second: bool,
        attackers: Iterable[Attacker] = (),
        workers: Workers | None = None,
    ) -> None:
        self._book = book
        self._share_second = share_second
        self._workers = workers or Workers()
        self._attackers = {attacker.agent: attacker for attacker in attackers}

    def exchange(
        self, layout: Layout, stage: Stage, stage_number: int, *, round: int, absent: set[AgentSpec]
    ) -> None:
        """Replace every branch's rows by what its exchange rule makes of them, all at once.

        Averaging reads no branch but its own: it comes last, in place.
        """
        mixed: list[tuple[BranchState, Tensor]] = []
        averaged: list[tuple[MixingMatrix, Tensor]] = []
        for rows in layout.branches.values():
            mixing = self._present(rows, stage, stage_number, round, absent)
            if not len(mixing.source):
                continue
            rule = stage.exchange(rows.branch)
            if rule.averages and not self._attackers:
                averaged.append((mixing, rows.params))
            else:
                view = RowsView(rows, layout.branches)
                attacks = Attacks(attackers=self._attackers, branch=rows.branch, round=round)
                mixed.append((rows, exchange_under_attack(rule, view, mixing, attacks)))
            if self._share_second:
                averaged.append((mixing, rows.moments["second"]))
        for rows, theta in mixed:
            rows.params.copy_(theta)
        strips = [strip for mixing, matrix in averaged for strip in mixing.column_blocks(matrix)]
        large = sum(matrix.numel() for _, matrix in averaged) > ALONE_ENTRIES
        (self._workers if large else Workers()).run(strips)

    def _present(
        self, rows: Owned, stage: Stage, stage_number: int, round: int, absent: set[AgentSpec]
    ) -> MixingMatrix:
        mixing = self._book.mixing(rows, stage, stage_number, round)
        if not absent:
            return mixing
        return mixing.drop_nodes(np.array([agent in absent for agent in rows.agents]))

    def payload(
        self,
        owners: Mapping[Branch, Owners],
        stage: Stage,
        stage_number: int,
        *,
        round: int,
        absent: set[AgentSpec],
    ) -> Payload:
        """What :meth:`exchange` sends in this round."""
        agents = {agent for own in owners.values() for agent in own.agents}
        place = {agent: index for index, agent in enumerate(agents)}
        links, sizes = [], []
        for own in owners.values():
            mixing = self._present(own, stage, stage_number, round, absent)
            index = np.array([place[agent] for agent in own.agents])
            numbers = stage.exchange(own.branch).numbers_sent(own.width)
            if self._share_second:
                numbers += own.width
            links.append(index[mixing.source] * len(place) + index[mixing.target])
            sizes.append(np.full(len(mixing.source), numbers * BYTES_PER_NUMBER))
        pairs, inverse = np.unique(np.concatenate(links), return_inverse=True)
        if not len(pairs):
            return Payload(0, 0, 0)
        per_link = np.bincount(inverse, weights=np.concatenate(sizes))
        return Payload(int(per_link.sum()), len(pairs), int(per_link.max()))
