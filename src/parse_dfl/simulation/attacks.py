"""What liars send in place of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.branches import Branch, stable_hash
from parse_dfl.liars import Liar
from parse_dfl.methods.exchange import EDGE, Exchange, Rows, Sent
from parse_dfl.overlays.mixing import Mixing


@dataclass(frozen=True, kw_only=True)
class Lies:
    """Who lies, by name, and about which branch in which round.

    ``rows`` and ``edges`` are the numbers, among the whole federation's, of the rows and edges that
    this process sees; None where it sees all.
    """

    liars: Mapping[str, Liar]
    branch: Branch
    round: int
    rows: NDArray[np.int64] | None = None
    edges: NDArray[np.int64] | None = None

    def of(self, rows: Rows) -> list[Liar | None]:
        """The liar of each row, None where its owner is honest."""
        return [self.liars.get(agent.name) for agent in rows.agents]


def exchange_with_liars(rule: Exchange, rows: Rows, mixing: Mixing, lies: Lies) -> Tensor:
    """The rows after an exchange in which liars send something else than their own.

    They themselves go on as if they had been honest.
    """
    sent = rule.send(rows, mixing)
    lying = torch.tensor([liar is not None for liar in lies.of(rows)], device=rows.theta.device)
    if not lying.any():
        return rule.receive(rows, sent, mixing)
    before = dict(rows.memory)
    honest = rule.receive(rows, sent, mixing)
    rows.memory.clear()
    rows.memory.update(before)
    mixed = rule.receive(rows, _falsified(sent, rows, mixing, lies), mixing).clone()
    mixed[lying] = honest[lying]
    return mixed


def _falsified(sent: Sent, rows: Rows, mixing: Mixing, lies: Lies) -> Sent:
    false = {name: value.clone() for name, value in sent.items()}
    lying = lies.of(rows)
    for name, value in false.items():
        over_edges = name.startswith(EDGE)
        senders = mixing.source if over_edges else np.arange(len(lying))
        numbers = lies.edges if over_edges else lies.rows
        for place, row in enumerate(senders.tolist()):
            liar, agent = lying[row], rows.agents[row]
            if liar:
                number = place if numbers is None else int(numbers[place])
                words = (name, lies.branch, lies.round, agent.seed, agent.name, number)
                value[place] = attack(liar, value[place], *words)
    return false


def attack(liar: Liar, honest: Tensor, *words: object) -> Tensor:
    """What ``liar`` sends in place of ``honest``; what is random follows from the ``words``."""
    if liar.attack == "random":
        draws = np.random.default_rng(stable_hash("liar", *words))
        noise = torch.from_numpy(draws.standard_normal(honest.shape)).to(honest)
        return liar.strength * honest.square().mean().sqrt() * noise
    sign = -1 if liar.attack == "sign-flip" else 1
    return sign * liar.strength * honest
