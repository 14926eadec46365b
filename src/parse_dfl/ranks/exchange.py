"""The exchange of one round where the rows lie on several ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.liars import Liar
from parse_dfl.methods.method import Stage
from parse_dfl.overlays.mixing import Mixing
from parse_dfl.ranks.halo_exchange import Halo
from parse_dfl.ranks.messages import Mail, Parcel
from parse_dfl.ranks.ownership import Name, Owners, Roster, name_of
from parse_dfl.ranks.ranks import Ranks
from parse_dfl.ranks.rows import HaloRows
from parse_dfl.ranks.rule_exchange import Ruled
from parse_dfl.simulation.attacks import Lies
from parse_dfl.simulation.exchange import Exchanger
from parse_dfl.training.layout import Layout
from parse_dfl.training.overlays import OverlayBook


class ShardedExchanger(Exchanger):
    """Mixes this rank's rows of all branches with those that they have as neighbours.

    ``home`` is the rank of every agent; ``roster`` is to be replaced when agents change.
    """

    def __init__(
        self,
        book: OverlayBook,
        *,
        share_second: bool,
        liars: Iterable[Liar],
        ranks: Ranks,
        roster: Roster,
        home: Mapping[Name, int],
    ) -> None:
        super().__init__(book, share_second=share_second, liars=liars)
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
            if rule.averages and not self._liars:
                averaged.append((rows.theta, halo))
            else:
                view = HaloRows(rows, layout.branches, halo, owners.agents)
                ruled.append(Ruled(rule, rows, view, halo, self._lies(halo, branch, round)))
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
            rows.theta.copy_(theta)
        for (matrix, halo), own in zip(averaged, blocks, strict=True):
            halo.mix_in_place(matrix, own)

    def _halo(self, owners: Owners, mixing: Mixing) -> Halo:
        """The branch's halo; it is the same as long as the mixing is."""
        known = self._halos.get(owners.branch)
        if known is None or known.mixing is not mixing:
            home = np.array([self._home[name_of(agent)] for agent in owners.agents])
            known = self._halos[owners.branch] = Halo(mixing, home, self._rank)
        return known

    def _lies(self, halo: Halo, branch: Branch, round: int) -> Lies:
        return Lies(
            liars=self._liars, branch=branch, round=round, rows=halo.rows, edges=halo.all_edges
        )


def _parcel(matrix: Tensor, halo: Halo) -> Parcel:
    arriving = {rank: len(rows) for rank, rows in halo.arriving_rows.items()}
    return Parcel(matrix, halo.sent_rows, arriving)
