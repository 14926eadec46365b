"""Draw random numbers that belong to the agent: counter-based, vectorised over rows.

Every draw is a hash of (agent's key, round, step, stream, index).  It never depends on the order
in which agents run, on how many share a batch of rows, or on the engine, so a resumed run, a
loop over agents and a process per agent all see the same numbers.  The hash is SplitMix64
(:func:`parse_dfl.branches.splitmix`).
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

from parse_dfl.branches import SPLITMIX_FACTORS, SPLITMIX_SHIFTS, splitmix

_GOLDEN = 0x9E3779B97F4A7C15


def hash_counters(keys: NDArray[np.uint64], counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash ``keys`` with ``counters`` (broadcast against each other), uint64 to uint64."""
    with np.errstate(over="ignore"):
        return splitmix(keys + (counters + np.uint64(1)) * np.uint64(_GOLDEN))


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


_SIGNED_FACTORS = tuple(_signed(factor) for factor in SPLITMIX_FACTORS)


def _shift(value: Tensor, bits: int) -> Tensor:
    """Shift an int64 tensor right as if it were unsigned."""
    return (value >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def hash_tensor(keys: Tensor, counters: Tensor | int) -> Tensor:
    """Hash as :func:`hash_counters` does, bit for bit, int64 tensors of any device."""
    if isinstance(counters, int):
        mixed = keys + _signed((counters + 1) * _GOLDEN)
    else:
        mixed = keys + (counters + 1).mul_(_signed(_GOLDEN))
    for shift, factor in zip(SPLITMIX_SHIFTS, _SIGNED_FACTORS, strict=False):
        mixed.bitwise_xor_(_shift(mixed, shift)).mul_(factor)
    return mixed.bitwise_xor_(_shift(mixed, SPLITMIX_SHIFTS[-1]))


class CounterRng:
    """The random draws of one forward pass of n rows; each call is a new stream.

    ``keys`` holds a key per row (Tensor, shape=(n,), dtype=int64), made from the agent's
    identity, the round and the step.
    """

    def __init__(self, keys: Tensor, stream: int = 0) -> None:
        self._keys = keys
        self._stream = stream

    @property
    def row_keys(self) -> Tensor:
        """The keys that the draws are hashes of."""
        return self._keys

    def _words(self, count: int) -> Tensor:
        """Draw ``count`` fresh 64-bit words a row, shape=(n, count)."""
        keys = hash_tensor(self._keys, self._stream)
        self._stream += 1
        counters = torch.arange(count, device=self._keys.device)
        return hash_tensor(keys.unsqueeze(1), counters)

    def keys(self) -> Tensor:
        """Draw a fresh key per row, shape=(n,), for a generator of its own inside a row."""
        return self._words(1)[:, 0]

    def _bytes(self, shape: torch.Size) -> Tensor:
        """Draw a byte per entry: eight decisions a hash."""
        entries = prod(shape) // len(self._keys)
        words = self._words(-(-entries // 8))
        return words.view(torch.uint8)[:, :entries].reshape(shape)

    def keep(self, probability: float, shape: torch.Size) -> Tensor:
        """Draw a mask of ``shape`` (rows first) that is True with ``probability``, in steps of
        1/256 from 1/256 to 1."""
        largest = round(probability * 256) - 1  # a byte cannot be compared with 256
        return self._bytes(shape) <= largest

    def dropout(self, p: float, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Draw what dropout multiplies by: 0 with probability ``p`` (in steps of 1/256), else
        what keeps the mean.

        Where a byte is below ``kept``, their difference is 1 at least: no comparison, whose masks
        compilers are slow at turning into numbers.
        """
        kept = max(1, round((1 - p) * 256))
        return self._bytes(shape).to(dtype).neg_().add_(kept).clamp(0, 1).div_(kept / 256)

    def normal(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Draw standard normal numbers of ``shape`` (rows first), by the Box-Muller transform."""
        entries = prod(shape) // len(self._keys)
        words = self._words(entries)
        first = (_shift(words, 32).to(torch.float64) + 0.5) / 2**32
        second = (words & 0xFFFFFFFF).to(torch.float64) / 2**32
        normal = torch.sqrt(-2 * torch.log(first)) * torch.cos(2 * torch.pi * second)
        return normal.to(dtype).reshape(shape)


class CounterRngAhead:
    """The draws of several steps of n rows, made for all of them when the first step asks.

    ``keys``: shape=(steps, n), dtype=int64.  A draw is a hash of its key, so that nothing differs
    from making them step by step but the number of operations.
    """

    def __init__(self, keys: Tensor) -> None:
        self._keys = keys
        self._made: dict[tuple[object, ...], Tensor] = {}

    def step(self, step: int) -> CounterRng:
        """Return the generator of one step's forward pass."""
        return _StepRng(self._keys, self._made, step)


class _StepRng(CounterRng):
    def __init__(self, keys: Tensor, made: dict[tuple[object, ...], Tensor], step: int) -> None:
        super().__init__(keys[step])
        self._all, self._made, self._step = keys, made, step

    def keys(self) -> Tensor:
        return self._of_step("keys", torch.Size(), lambda rng, _: rng.keys())

    def keep(self, probability: float, shape: torch.Size) -> Tensor:
        return self._of_step(probability, shape, lambda rng, wide: rng.keep(probability, wide))

    def dropout(self, p: float, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        return self._of_step((p, dtype), shape, lambda rng, wide: rng.dropout(p, wide, dtype))

    def normal(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        return self._of_step(dtype, shape, lambda rng, wide: rng.normal(wide, dtype))

    def _of_step(
        self, kind: object, shape: torch.Size, make: Callable[[CounterRng, torch.Size], Tensor]
    ) -> Tensor:
        """Return this step's part of what ``make`` draws for all steps from this stream."""
        name = (self._stream, kind, shape)
        if name not in self._made:
            steps = len(self._all)
            wide = torch.Size((steps * shape[0], *shape[1:])) if shape else shape
            drawn = make(CounterRng(self._all.flatten(), self._stream), wide)
            self._made[name] = drawn.unflatten(0, (steps, -1))
        self._stream += 1
        return self._made[name][self._step]


_current: ContextVar[CounterRng | None] = ContextVar("rng", default=None)


def current_rng() -> CounterRng | None:
    """Return the generator of the forward pass under way, or None outside of training."""
    return _current.get()


@contextmanager
def use_rng(source: Tensor | CounterRng) -> Iterator[None]:
    """Let the layers inside draw from this generator, or a new one of keys (int64, one a row)."""
    token = _current.set(source if isinstance(source, CounterRng) else CounterRng(source))
    try:
        yield
    finally:
        _current.reset(token)
