"""Carry gossip between ranks: find the rows that must cross, and send them.

Rows are *global*, numbered as in one process, or *local*: a rank's own rows and its halo, the
neighbours' rows on other ranks, in the order of the global ones.  That order is also the order of
every sum, so that many ranks add up the same numbers in the same way as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.engine.gossip import Link, MixingOf, Task
from parse_dfl.engine.neighbourhood import Neighbourhood, Owners
from parse_dfl.engine.state import BranchState
from parse_dfl.methods.base import EDGE, Messages
from parse_dfl.overlays.mixing_matrix import (
    LEAST_STRIP_COLUMNS,
    STRIP_ENTRIES,
    CsrRows,
    MixingMatrix,
    csr_product,
    weights_for,
)
from parse_dfl.ranks.group import Ranks

Index = NDArray[np.int64]

ALIGNED_BYTES = 16
"""Every block of a message starts at a multiple of this, so that any dtype can be read in place."""


@dataclass(frozen=True)
class RowTransfer:
    """Rows of one tensor that cross: which ones each rank gets, and how many come from it."""

    value: Tensor  # shape=(rows, *tail)
    sent: Mapping[int, Index]
    arriving: Mapping[int, int]

    def block_bytes(self, rows: int) -> int:
        """Return the bytes that so many rows take in a message."""
        size = rows * prod(self.value.shape[1:]) * self.value.element_size()
        return -(-size // ALIGNED_BYTES) * ALIGNED_BYTES


class RowExchange:
    """Sends rows to the other ranks and receives theirs.

    Its buffers are kept from round to round: touching so much fresh memory takes longer than to
    send what is in it.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._outgoing: dict[int, Tensor] = {}
        self._incoming: dict[int, Tensor] = {}

    def run(self, transfers: Sequence[RowTransfer]) -> list[dict[int, Tensor]]:
        """Send all; for each transfer, return what arrived from each rank, shape=(rows, *tail).

        It stays until the next call.  Every rank must give the same transfers in the same order,
        but for those that it neither sends to nor awaits from anyone.
        """
        sent = [{r: len(rows) for r, rows in transfer.sent.items()} for transfer in transfers]
        outgoing, views = _buffers(transfers, sent, self._outgoing)
        for transfer, view in zip(transfers, views, strict=True):
            for rank, rows in transfer.sent.items():
                index = torch.from_numpy(rows).to(transfer.value.device)
                torch.index_select(transfer.value, 0, index, out=view[rank])
        awaited = [transfer.arriving for transfer in transfers]
        incoming, arrived = _buffers(transfers, awaited, self._incoming)
        self._ranks.exchange(outgoing, incoming)
        return arrived


def _buffers(
    transfers: Sequence[RowTransfer], counts: Sequence[Mapping[int, int]], kept: dict[int, Tensor]
) -> tuple[dict[int, Tensor], list[dict[int, Tensor]]]:
    """Return a buffer a rank, and each transfer's view of it, for so many rows by rank.

    The buffers are parts of those that are ``kept``, which become larger where needed.
    """
    sizes: dict[int, int] = {}
    for transfer, rows in zip(transfers, counts, strict=True):
        for rank, count in rows.items():
            sizes[rank] = sizes.get(rank, 0) + transfer.block_bytes(count)
    device = transfers[0].value.device if transfers else torch.device("cpu")
    buffers = {rank: _kept_bytes(kept, rank, size, device) for rank, size in sizes.items()}
    begin = dict.fromkeys(sizes, 0)
    views: list[dict[int, Tensor]] = []
    for transfer, rows in zip(transfers, counts, strict=True):
        views.append({})
        for rank, count in rows.items():
            views[-1][rank] = _view(buffers[rank], begin[rank], transfer.value, count)
            begin[rank] += transfer.block_bytes(count)
    return {rank: buffer for rank, buffer in buffers.items() if len(buffer)}, views


def _kept_bytes(kept: dict[int, Tensor], rank: int, size: int, device: torch.device) -> Tensor:
    if rank not in kept or len(kept[rank]) < size:
        kept[rank] = torch.empty(size, dtype=torch.uint8, device=device)
    return kept[rank][:size]


def _view(buffer: Tensor, start: int, like: Tensor, rows: int) -> Tensor:
    shape = (rows, *like.shape[1:])
    size = prod(shape) * like.element_size()
    return buffer[start : start + size].view(like.dtype).view(shape)


class Halo:
    """One rank's part of a mixing over global rows.

    Args:
        mixing: W over all n rows.
        home: the rank of each row, shape=(n,).
        rank: whose part this is.
    """

    def __init__(self, mixing: MixingMatrix, home: Index, rank: int) -> None:
        self.mixing = mixing
        source, target = mixing.source, mixing.target
        is_own = home == rank
        needed = np.zeros(len(home), dtype=bool)
        needed[source[is_own[target]]] = True
        needed[target[is_own[source]]] = True
        self.rows = np.flatnonzero(is_own | needed)
        """The global number of each local row."""
        self.own_rows = np.flatnonzero(is_own[self.rows])
        """The local numbers of this rank's rows."""
        self._local = np.full(len(home), -1)
        self._local[self.rows] = np.arange(len(self.rows))
        self.inward_edges = np.flatnonzero(is_own[target])
        """The global edges that end in own rows."""
        self.all_edges = np.flatnonzero(is_own[target] | is_own[source])
        """The global edges that begin or end in own rows."""
        among_own = np.cumsum(is_own) - 1
        self.sent_rows = {
            r: among_own[np.unique(rows)]
            for r, rows in _by_rank(home[target], source, is_own[source], rank).items()
        }
        """Rank → the own rows that it needs, numbered among the own ones."""
        self.arriving_rows = {
            r: self._local[np.unique(rows)]
            for r, rows in _by_rank(home[source], source, is_own[target], rank).items()
        }
        """Rank → the local rows that it sends."""
        number = np.full(len(source), -1)
        number[self.all_edges] = np.arange(len(self.all_edges))
        edges = np.arange(len(source))
        self.sent_edges = {
            r: number[leaving]
            for r, leaving in _by_rank(home[target], edges, is_own[source], rank).items()
        }
        """Rank → the edges into its rows, numbered among :attr:`all_edges`."""
        self.arriving_edges = {
            r: number[entering]
            for r, entering in _by_rank(home[source], edges, is_own[target], rank).items()
        }
        """Rank → the edges out of its rows, numbered among :attr:`all_edges`."""
        self._csr_cache: dict[tuple[torch.device, torch.dtype], CsrRows] = {}

    @cached_property
    def inward(self) -> MixingMatrix:
        """The mixing over local rows; rows of the halo receive nothing."""
        return self._over(self.inward_edges)

    @cached_property
    def both_ways(self) -> MixingMatrix:
        """The mixing over local rows and all edges of own ones, for rules that send over edges."""
        return self._over(self.all_edges)

    def _over(self, edges: Index) -> MixingMatrix:
        mixing = self.mixing
        return MixingMatrix.of(
            self._local[mixing.source[edges]],
            self._local[mixing.target[edges]],
            mixing.weight[edges],
            size=len(self.rows),
        )

    def column_blocks(self, rows: Tensor, arrived: Mapping[int, Tensor]) -> list[Task]:
        """Return tasks that replace the own ``rows``, shape=(h, P), by what W makes of them and of
        what arrived from each rank: :meth:`MixingMatrix.column_blocks` with rows elsewhere."""
        if not len(self.inward_edges):
            return []
        csr_rows = self._csr_rows(rows)
        width = max(LEAST_STRIP_COLUMNS, STRIP_ENTRIES // max(1, len(self.rows)))
        blocks = [rows, *(arrived[rank] for rank in sorted(self.arriving_rows))]
        strips = zip(*(rows.split(width, 1) for rows in blocks), strict=True)
        return [partial(_mix, strip, others, csr_rows) for strip, *others in strips]

    def _csr_rows(self, matrix: Tensor) -> CsrRows:
        """Return each own row, then its sources by rising global number: numbered among own rows
        and those that arrive, rank by rank."""
        key = (matrix.device, matrix.dtype)
        if key not in self._csr_cache:
            edges = self.inward_edges
            numbers = self.rows[self.own_rows]
            source = np.concatenate([numbers, self.mixing.source[edges]])
            target = np.concatenate([numbers, self.mixing.target[edges]])
            weight = np.concatenate([self.mixing.self_weight[numbers], self.mixing.weight[edges]])
            by_row = np.lexsort((source, source != target, target))
            starts = np.searchsorted(target[by_row], numbers)
            blocks = [self.own_rows, *(self.arriving_rows[r] for r in sorted(self.arriving_rows))]
            stacked = np.concatenate(blocks)
            position = np.full(len(self.rows), -1)
            position[stacked] = np.arange(len(stacked))
            self._csr_cache[key] = (
                torch.from_numpy(position[self._local[source[by_row]]]).to(matrix.device),
                torch.from_numpy(starts).to(matrix.device),
                weights_for(matrix, weight[by_row]),
            )
        return self._csr_cache[key]


def _mix(rows: Tensor, others: Sequence[Tensor], csr_rows: CsrRows) -> None:
    rows.copy_(csr_product(torch.cat([rows, *others]) if others else rows, csr_rows))


def _by_rank(
    other: Index, values: Index, chosen: NDArray[np.bool_], rank: int
) -> Mapping[int, Index]:
    """Group the chosen edges' ``values`` by the rank of their other end, without this rank."""
    crossing = np.flatnonzero(chosen & (other != rank))
    return {int(r): values[crossing[other[crossing] == r]] for r in np.unique(other[crossing])}


class HaloLink:
    """One branch's way to its neighbours on other ranks (:class:`~parse_dfl.engine.gossip.Link`).

    A rule runs on local rows, as a peer's does: ``send`` over the edges of own rows, both ways;
    ``receive`` over those that end in own rows, or both ways where the rule sends over edges.
    """

    def __init__(self, branch: Branch, halo: Halo, owners: Sequence[AgentSpec]) -> None:
        self.branch = branch
        self._halo, self._owners = halo, owners
        self._messages: Messages = {}
        self._arrived: dict[str, Mapping[int, Tensor]] = {}

    @property
    def outgoing(self) -> Neighbourhood:
        """The local rows, and the edges of own ones both ways."""
        return self._neighbourhood(self._halo.both_ways)

    def send(self, messages: Messages) -> None:
        """Keep the messages until :meth:`HaloChannel.deliver`."""
        self._messages = messages

    def transfers(self) -> dict[str, RowTransfer]:
        """Return the rows to be transferred, in the order of the messages' names."""
        return {name: self._transfer(name) for name in sorted(self._messages)}

    def accept(self, name: str, arrived: Mapping[int, Tensor]) -> None:
        """Take what has come from each rank under ``name``."""
        self._arrived[name] = arrived

    def incoming(self) -> Neighbourhood:
        """Return the local rows, and the edges that end in own ones."""
        over_edges = any(name.startswith(EDGE) for name in self._messages)
        return self._neighbourhood(self._halo.both_ways if over_edges else self._halo.inward)

    def received(self, name: str) -> Tensor:
        """Return the messages ``name`` of the local rows, or of all their edges."""
        halo, sent = self._halo, self._messages[name]
        if name.startswith(EDGE):
            return insert_blocks(sent.clone(), self._arrived[name], halo.arriving_edges)
        local = sent.new_zeros((len(halo.rows), *sent.shape[1:]))
        local.index_copy_(0, torch.from_numpy(halo.own_rows).to(sent.device), sent)
        return insert_blocks(local, self._arrived[name], halo.arriving_rows)

    def average(self, name: str, rows: Tensor) -> Iterable[Task]:
        """Return the tasks of mixing own rows with what arrived."""
        return self._halo.column_blocks(rows, self._arrived[name])

    def _transfer(self, name: str) -> RowTransfer:
        halo, value = self._halo, self._messages[name]
        over_edges = name.startswith(EDGE)
        arriving = halo.arriving_edges if over_edges else halo.arriving_rows
        counts = {rank: len(index) for rank, index in arriving.items()}
        return RowTransfer(value, halo.sent_edges if over_edges else halo.sent_rows, counts)

    def _neighbourhood(self, mixing: MixingMatrix) -> Neighbourhood:
        halo = self._halo
        return Neighbourhood(
            agents=[self._owners[row] for row in halo.rows.tolist()],
            mixing=mixing,
            own_rows=halo.own_rows,
            row_numbers=halo.rows,
            edge_numbers=halo.all_edges,
        )


def insert_blocks(
    local: Tensor, blocks: Mapping[int, Tensor], index: Mapping[int, Index]
) -> Tensor:
    """Copy each rank's block into ``local`` at its ``index``; return ``local``."""
    for rank, block in blocks.items():
        local.index_copy_(0, torch.from_numpy(index[rank]).to(local.device), block)
    return local


class HaloChannel:
    """The way to the neighbours on other ranks; all that must cross does so at once.

    Halos are kept from round to round in ``halos``, as long as the mixing is the same.
    """

    def __init__(
        self,
        mixing_of: MixingOf,
        owners: Mapping[Branch, Owners],
        make_halo: Callable[[Owners, MixingMatrix], Halo],
        rows: RowExchange,
    ) -> None:
        self._mixing_of, self._owners, self._make_halo = mixing_of, owners, make_halo
        self._rows = rows
        self._links: list[HaloLink] = []

    def link(self, rows: BranchState) -> Link | None:
        """Return the branch's link, None where no own row has a neighbour."""
        owners = self._owners[rows.branch]
        halo = self._make_halo(owners, self._mixing_of(owners))
        if not len(halo.all_edges):
            return None
        link = HaloLink(rows.branch, halo, owners.agents)
        self._links.append(link)
        return link

    def deliver(self) -> None:
        """Send and receive all branches' rows, in an order that all ranks share."""
        transfers = [
            (link, name, transfer)
            for link in sorted(self._links, key=lambda link: link.branch)
            for name, transfer in link.transfers().items()
        ]
        arrived = self._rows.run([transfer for _, _, transfer in transfers])
        for (link, name, _), blocks in zip(transfers, arrived, strict=True):
            link.accept(name, blocks)
