"""The exchange of one round: every branch over its overlays, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.liars import Liar
from parse_dfl.methods.method import Stage
from parse_dfl.overlays.mixing import Mixing
from parse_dfl.simulation.attacks import Lies, exchange_with_liars
from parse_dfl.training.layout import Layout
from parse_dfl.training.overlays import OverlayBook, Owned
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.view import RowsView
from parse_dfl.training.workers import Workers

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
        book: OverlayBook,
        *,
        share_second: bool,
        liars: Iterable[Liar] = (),
        workers: Workers | None = None,
    ) -> None:
        self._book = book
        self._share_second = share_second
        self._workers = workers or Workers()
        self._liars = {liar.agent: liar for liar in liars}

    def exchange(
        self, layout: Layout, stage: Stage, stage_number: int, *, round: int, absent: set[AgentSpec]
    ) -> None:
        """Replace every branch's rows by what its exchange rule makes of them, all at once.

        Averaging reads no branch but its own: it comes last, in place.
        """
        mixed: list[tuple[BranchRows, Tensor]] = []
        averaged: list[tuple[Mixing, Tensor]] = []
        for rows in layout.branches.values():
            mixing = self._present(rows, stage, stage_number, round, absent)
            if not len(mixing.source):
                continue
            rule = stage.exchange(rows.branch)
            if rule.averages and not self._liars:
                averaged.append((mixing, rows.theta))
            else:
                view = RowsView(rows, layout.branches)
                lies = Lies(liars=self._liars, branch=rows.branch, round=round)
                mixed.append((rows, exchange_with_liars(rule, view, mixing, lies)))
            if self._share_second:
                averaged.append((mixing, rows.moments["second"]))
        for rows, theta in mixed:
            rows.theta.copy_(theta)
        strips = [strip for mixing, matrix in averaged for strip in mixing.strips(matrix)]
        large = sum(matrix.numel() for _, matrix in averaged) > ALONE_ENTRIES
        (self._workers if large else Workers()).run(strips)

    def _present(
        self, rows: Owned, stage: Stage, stage_number: int, round: int, absent: set[AgentSpec]
    ) -> Mixing:
        mixing = self._book.mixing(rows, stage, stage_number, round)
        if not absent:
            return mixing
        return mixing.without(np.array([agent in absent for agent in rows.agents]))

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
            numbers = stage.exchange(own.branch).floats(own.width)
            if self._share_second:
                numbers += own.width
            links.append(index[mixing.source] * len(place) + index[mixing.target])
            sizes.append(np.full(len(mixing.source), numbers * BYTES_PER_NUMBER))
        pairs, inverse = np.unique(np.concatenate(links), return_inverse=True)
        if not len(pairs):
            return Payload(0, 0, 0)
        per_link = np.bincount(inverse, weights=np.concatenate(sizes))
        return Payload(int(per_link.sum()), len(pairs), int(per_link.max()))
