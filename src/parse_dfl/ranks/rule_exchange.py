"""The gossip step where rows lie on several ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.byzantine import Attacker
from parse_dfl.engine.gossip import Attacks, Exchanger, exchange_under_attack
from parse_dfl.engine.layout import Layout
from parse_dfl.engine.mixing_cache import MixingCache
from parse_dfl.engine.state import BranchState, PartialRows
from parse_dfl.methods.base import EDGE, Aggregation, BranchView, Messages, Stage
from parse_dfl.overlays.mixing_matrix import MixingMatrix
from parse_dfl.ranks.group import Ranks
from parse_dfl.ranks.halo_exchange import Halo, Mail, Numbers, Parcel, placed
from parse_dfl.ranks.ownership import Name, Owners, Roster, name_of


class HaloRows(PartialRows):
    """Local rows: the halo's are zero."""

    def __init__(
        self,
        rows: BranchState,
        branches: Mapping[Branch, BranchState],
        halo: Halo,
        agents: Sequence[AgentSpec],
    ) -> None:
        super().__init__(rows, branches)
        self._places = torch.from_numpy(halo.own).to(rows.params.device)
        self.agents = [agents[row] for row in halo.rows.tolist()]

    def _among_others(self, own: Tensor) -> Tensor:
        local = own.new_zeros((len(self.agents), *own.shape[1:]))
        return local.index_copy_(0, self._places, own)


class Ruled:
    """What a rule sends from a rank's rows, and what it makes of what arrives.

    The rule runs on local rows, as a peer's does: ``send`` over the edges of own rows, both ways;
    ``receive`` over those that end in own rows, or both ways where the rule sends over edges.
    """

    def __init__(
        self, rule: Aggregation, rows: BranchState, view: HaloRows, halo: Halo, attacks: Attacks
    ) -> None:
        self.rows = rows
        self._rule, self._view, self._halo, self._attacks = rule, view, halo, attacks
        self._sent = dict(rule.send(view, halo.both_ways()))

    def parcels(self) -> list[Parcel]:
        """What must cross, in the order of the names."""
        return [self._parcel(name) for name in sorted(self._sent)]

    def _parcel(self, name: str) -> Parcel:
        halo = self._halo
        sent: Mapping[int, Numbers] = halo.sent_edges
        if not name.startswith(EDGE):
            sent = {rank: halo.own[rows] for rank, rows in halo.sent_rows.items()}
        counts = {rank: len(places) for rank, places in self._places(name).items()}
        return Parcel(self._sent[name], sent, counts)

    def receive(self, arrived: Sequence[Mapping[int, Tensor]]) -> Tensor:
        """This rank's rows after the exchange; ``arrived`` as :meth:`parcels` asked for it."""
        halo = self._halo
        whole = {
            name: placed(self._sent[name].clone(), blocks, self._places(name))
            for name, blocks in zip(sorted(self._sent), arrived, strict=True)
        }
        over_edges = any(name.startswith(EDGE) for name in whole)
        mixing = halo.both_ways() if over_edges else halo.inward()
        rule = _Arrived(self._rule, whole)
        mixed = exchange_under_attack(rule, self._view, mixing, self._attacks)
        return mixed[torch.from_numpy(halo.own).to(mixed.device)]

    def _places(self, name: str) -> Mapping[int, Numbers]:
        halo = self._halo
        return halo.arriving_edges if name.startswith(EDGE) else halo.arriving_rows


class _Arrived(Aggregation):
    """A rule whose rows have sent already; what own rows and the halo's sent is there."""

    def __init__(self, rule: Aggregation, sent: Messages) -> None:
        self._rule, self._sent = rule, sent

    def send(self, rows: BranchView, mixing: MixingMatrix) -> Messages:  # noqa: ARG002
        """All that was sent."""
        return self._sent

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:
        """What the rule makes of it."""
        return self._rule.receive(rows, sent, mixing)


class ShardedExchanger(Exchanger):
    """Mixes this rank's rows of all branches with those that they have as neighbours.

    ``home`` is the rank of every agent; ``roster`` is to be replaced when agents change.
    """

    def __init__(
        self,
        book: MixingCache,
        *,
        share_second: bool,
        attackers: Iterable[Attacker],
        ranks: Ranks,
        roster: Roster,
        home: Mapping[Name, int],
    ) -> None:
        super().__init__(book, share_second=share_second, attackers=attackers)
        self._rank, self._home = ranks.rank, home
        self._mail = Mail(ranks)
        self.roster = roster
        self._halos: dict[Branch, Halo] = {}

    def exchange(
        self, layout: Layout, stage: Stage, stage_number: int, *, round: int, absent: set[AgentSpec]
    ) -> None:
        """Replace this rank's rows of every branch; all that must cross does so at once."""
        averaged: list[tuple[Tensor, Halo]] = []
        ruled: list[Ruled] = []
        for branch, owners in self.roster.branches.items():
            mixing = self._present(owners, stage, stage_number, round, absent)
            rows = layout.branches.get(branch)
            halo = self._halo(owners, mixing)
            if rows is None or not len(halo.all_edges):
                continue
            rule = stage.exchange(branch)
            if rule.averages and not self._attackers:
                averaged.append((rows.params, halo))
            else:
                view = HaloRows(rows, layout.branches, halo, owners.agents)
                ruled.append(Ruled(rule, rows, view, halo, self._attacks(halo, branch, round)))
            if self._share_second:
                averaged.append((rows.moments["second"], halo))
        self._swap_and_mix(averaged, ruled)

    def _swap_and_mix(self, averaged: list[tuple[Tensor, Halo]], ruled: list[Ruled]) -> None:
        parcels = [_parcel(matrix, halo) for matrix, halo in averaged]
        asked = [each.parcels() for each in ruled]
        arrived = iter(self._mail.swap([*parcels, *(one for own in asked for one in own)]))
        blocks = [next(arrived) for _ in averaged]
        mixed = [
            (each.rows, each.receive([next(arrived) for _ in own]))
            for each, own in zip(ruled, asked, strict=True)
        ]
        for rows, theta in mixed:
            rows.params.copy_(theta)
        for (matrix, halo), own in zip(averaged, blocks, strict=True):
            halo.mix_in_place(matrix, own)

    def _halo(self, owners: Owners, mixing: MixingMatrix) -> Halo:
        """The branch's halo; it is the same as long as the mixing is."""
        known = self._halos.get(owners.branch)
        if known is None or known.mixing is not mixing:
            home = np.array([self._home[name_of(agent)] for agent in owners.agents])
            known = self._halos[owners.branch] = Halo(mixing, home, self._rank)
        return known

    def _attacks(self, halo: Halo, branch: Branch, round: int) -> Attacks:
        return Attacks(
            attackers=self._attackers,
            branch=branch,
            round=round,
            rows=halo.rows,
            edges=halo.all_edges,
        )


def _parcel(matrix: Tensor, halo: Halo) -> Parcel:
    arriving = {rank: len(rows) for rank, rows in halo.arriving_rows.items()}
    return Parcel(matrix, halo.sent_rows, arriving)
