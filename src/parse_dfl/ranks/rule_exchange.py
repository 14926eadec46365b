"""A branch whose exchange rule is more than averaging, on one rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from parse_dfl.methods.exchange import EDGE, Exchange, Rows, Sent
from parse_dfl.overlays.mixing import Mixing
from parse_dfl.ranks.halo_exchange import Halo, Numbers
from parse_dfl.ranks.messages import Parcel, placed
from parse_dfl.ranks.rows import HaloRows
from parse_dfl.simulation.attacks import Lies, exchange_with_liars
from parse_dfl.training.rows import BranchRows


class Ruled:
    """What a rule sends from a rank's rows, and what it makes of what arrives.

    The rule runs on local rows, as a peer's does: ``send`` over the edges of own rows, both ways;
    ``receive`` over those that end in own rows, or both ways where the rule sends over edges.
    """

    def __init__(
        self, rule: Exchange, rows: BranchRows, view: HaloRows, halo: Halo, lies: Lies
    ) -> None:
        self.rows = rows
        self._rule, self._view, self._halo, self._lies = rule, view, halo, lies
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
        mixed = exchange_with_liars(rule, self._view, mixing, self._lies)
        return mixed[torch.from_numpy(halo.own).to(mixed.device)]

    def _places(self, name: str) -> Mapping[int, Numbers]:
        halo = self._halo
        return halo.arriving_edges if name.startswith(EDGE) else halo.arriving_rows


class _Arrived(Exchange):
    """A rule whose rows have sent already; what own rows and the halo's sent is there."""

    def __init__(self, rule: Exchange, sent: Sent) -> None:
        self._rule, self._sent = rule, sent

    def send(self, rows: Rows, mixing: Mixing) -> Sent:  # noqa: ARG002
        """All that was sent."""
        return self._sent

    def receive(self, rows: Rows, sent: Sent, mixing: Mixing) -> Tensor:
        """What the rule makes of it."""
        return self._rule.receive(rows, sent, mixing)
