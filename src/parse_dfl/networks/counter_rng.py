"""Randomness that belongs to the agent: counter-based draws, vectorised over rows.

Every draw is a hash of (agent's key, round, step, site, index).  It never depends on the order
in which agents run, on how many share a batch of rows, or on the engine, so a resumed run, a
loop over agents and a process per agent all see the same numbers.  The hash is the finaliser
of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def hash_counters(keys: NDArray[np.uint64], counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash ``keys`` with ``counters`` (broadcast against each other), uint64 to uint64."""
    with np.errstate(over="ignore"):
        mixed = keys + (counters + np.uint64(1)) * np.uint64(_GOLDEN)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MULTIPLIERS[0])
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MULTIPLIERS[1])
    return mixed ^ (mixed >> np.uint64(31))


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _shift(value: Tensor, bits: int) -> Tensor:
    """Logical right shift of an int64 tensor."""
    return (value >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def hash_tensor(keys: Tensor, counters: Tensor | int) -> Tensor:
    """:func:`hash_counters` on int64 tensors of any device, bit for bit the same."""
    if isinstance(counters, int):
        mixed = keys + _signed((counters + 1) * _GOLDEN)
    else:
        mixed = keys + (counters + 1).mul_(_signed(_GOLDEN))
    mixed.bitwise_xor_(_shift(mixed, 30)).mul_(_signed(_MULTIPLIERS[0]))
    mixed.bitwise_xor_(_shift(mixed, 27)).mul_(_signed(_MULTIPLIERS[1]))
    return mixed.bitwise_xor_(_shift(mixed, 31))


class CounterRng:
    """The random draws of one forward pass of n rows; each call is a new *site*.

    ``keys`` holds a key per row (Tensor, shape=(n,), dtype=int64), made from the agent's
    identity, the round and the step.
    """

    def __init__(self, keys: Tensor, site: int = 0) -> None:
        self._keys = keys
        self._site = site

    @property
    def row_keys(self) -> Tensor:
        """The keys that the draws are hashes of."""
        return self._keys

    def _words(self, count: int) -> Tensor:
        """``count`` fresh 64-bit words a row, shape=(n, count)."""
        site = hash_tensor(self._keys, self._site)
        self._site += 1
        counters = torch.arange(count, device=self._keys.device)
        return hash_tensor(site.unsqueeze(1), counters)

    def keys(self) -> Tensor:
        """A fresh key per row, shape=(n,), for draws of its own inside a row."""
        return self._words(1)[:, 0]

    def _bytes(self, shape: torch.Size) -> Tensor:
        """A byte per entry: eight decisions a hash."""
        entries = prod(shape) // len(self._keys)
        words = self._words(-(-entries // 8))
        return words.view(torch.uint8)[:, :entries].reshape(shape)

    def keep(self, probability: float, shape: torch.Size) -> Tensor:
        """A mask of ``shape`` (rows first) that is True with ``probability``, in steps of 1/256
        from 1/256 to 1."""
        largest = round(probability * 256) - 1  # a byte cannot be compared with 256
        return self._bytes(shape) <= largest

    def dropout(self, p: float, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """What dropout multiplies by: 0 with probability ``p`` (in steps of 1/256), else what
        keeps the mean.

        Where a byte is below ``kept``, their difference is 1 at least: no comparison, whose masks
        compilers are slow at turning into numbers.
        """
        kept = max(1, round((1 - p) * 256))
        return self._bytes(shape).to(dtype).neg_().add_(kept).clamp(0, 1).div_(kept / 256)

    def normal(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Standard normal draws of ``shape`` (rows first), by the Box-Muller transform."""
        entries = prod(shape) // len(self._keys)
        words = self._words(entries)
        first = (_shift(words, 32).to(torch.float64) + 0.5) / 2**32
        second = (words & 0xFFFFFFFF).to(torch.float64) / 2**32
        normal = torch.sqrt(-2 * torch.log(first)) * torch.cos(2 * torch.pi * second)
        return normal.to(dtype).reshape(shape)


class DrawsAhead:
    """The draws of several steps of n rows, made for all of them when the first step asks.

    ``keys``: shape=(steps, n), dtype=int64.  A draw is a hash of its key, so that nothing differs
    from making them step by step but the number of operations.
    """

    def __init__(self, keys: Tensor) -> None:
        self._keys = keys
        self._made: dict[tuple[object, ...], Tensor] = {}

    def step(self, step: int) -> CounterRng:
        """The draws of one step's forward pass."""
        return _StepDraws(self._keys, self._made, step)


class _StepDraws(CounterRng):
    def __init__(self, keys: Tensor, made: dict[tuple[object, ...], Tensor], step: int) -> None:
        super().__init__(keys[step])
        self._all, self._made, self._step = keys, made, step

    def keys(self) -> Tensor:
        return self._own("keys", torch.Size(), lambda draws, _: draws.keys())

    def keep(self, probability: float, shape: torch.Size) -> Tensor:
        return self._own(probability, shape, lambda draws, wide: draws.keep(probability, wide))

    def dropout(self, p: float, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        return self._own((p, dtype), shape, lambda draws, wide: draws.dropout(p, wide, dtype))

    def normal(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        return self._own(dtype, shape, lambda draws, wide: draws.normal(wide, dtype))

    def _own(
        self, kind: object, shape: torch.Size, make: Callable[[CounterRng, torch.Size], Tensor]
    ) -> Tensor:
        """This step's part of what ``make`` draws for the rows of all steps at this site."""
        name = (self._site, kind, shape)
        if name not in self._made:
            steps = len(self._all)
            wide = torch.Size((steps * shape[0], *shape[1:])) if shape else shape
            drawn = make(CounterRng(self._all.flatten(), self._site), wide)
            self._made[name] = drawn.unflatten(0, (steps, -1))
        self._site += 1
        return self._made[name][self._step]


_current: ContextVar[CounterRng | None] = ContextVar("draws", default=None)


def current_draws() -> CounterRng | None:
    """The draws of the forward pass under way, or None outside of training."""
    return _current.get()


@contextmanager
def use_rng(source: Tensor | CounterRng) -> Iterator[None]:
    """Let the layers inside draw from these draws, or from new ones of keys (int64, one a row)."""
    token = _current.set(source if isinstance(source, CounterRng) else CounterRng(source))
    try:
        yield
    finally:
        _current.reset(token)
