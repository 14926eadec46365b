"""What the machine can do at most: the rates that a roofline is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import median

import torch
from torch import Tensor

AGENTS, BATCH, FEATURES, HIDDEN = 1000, 32, 561, 128
"""The batched product that sets the rate: a layer of 1,000 agents on a minibatch each."""
COPIED_NUMBERS = 1 << 26
"""A quarter of a gigabyte: no cache holds it."""
REPEATS = 5


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """Rates of the moment, on torch's present number of threads."""

    operations_per_s: float  # of a batched product, a multiply-add counted as two
    bytes_per_s: float  # of a copy, read and written bytes counted

    def seconds(self, operations: float, moved_bytes: float) -> float:
        """The roofline: operations at the one rate, then bytes moved at the other."""
        return operations / self.operations_per_s + moved_bytes / self.bytes_per_s


def measure(device: str = "cpu") -> Ceilings:
    """The rates of a device now; about half a second."""
    batch, weight, output, source, target = _operands(device)
    product = _median_seconds(lambda: torch.bmm(batch, weight, out=output), device)
    copy = _median_seconds(lambda: target.copy_(source), device)
    return Ceilings(
        operations_per_s=2 * AGENTS * BATCH * FEATURES * HIDDEN / product,
        bytes_per_s=2 * 4 * COPIED_NUMBERS / copy,
    )


@cache
def _operands(device: str) -> tuple[Tensor, ...]:
    return (
        torch.ones(AGENTS, BATCH, FEATURES, device=device),
        torch.ones(AGENTS, FEATURES, HIDDEN, device=device),
        torch.empty(AGENTS, BATCH, HIDDEN, device=device),
        torch.ones(COPIED_NUMBERS, device=device),
        torch.zeros(COPIED_NUMBERS, device=device),
    )


def _median_seconds(function: Callable[[], object], device: str) -> float:
    taken = []
    for _ in range(REPEATS + 1):
        wait_for(device)
        begin = time.perf_counter()
        function()
        wait_for(device)
        taken.append(time.perf_counter() - begin)
    return median(taken[1:])


def wait_for(device: str) -> None:
    """Until what was given to the device is done; a processor is never behind."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
