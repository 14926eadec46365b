"""What a run holds in memory, and how many rows and samples are worked on at once.

State grows with the agents and cannot be chunked: parameters and moments, a row an agent.  All
else is worked on in chunks of rows, whose size follows from the caches and from what the memory
limit leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parse_dfl.errors import ConfigError
from parse_dfl.networks.network import Network
from parse_dfl.process import format_bytes, parse_memory

STATE_MATRICES = 4
"""Parameters, gradients and two moments, each of a row's width."""
PART_BYTES = 48 << 20
"""State and activations of the rows that are trained together: about what a processor's last cache
holds.  More rows a part would mean fewer, longer operations, but each would read from memory."""
COMPILED_PART_BYTES = 8 << 20
"""The same where steps are compiled, and an operation more costs little: nearer to a core.  Few of
the activations are alive at a time there, so that they count once and not with their gradients."""


@dataclass(kw_only=True)
class MemoryPlan:
    """The memory that a stack's work takes, row by row, and how much of it is done together.

    ``working_bytes`` is what the work may take besides parameters and moments; None: any amount.
    Where steps are ``compiled``, each number of rows of a part costs seconds once; ``most_rows``
    leaves parts for other threads.
    """

    rows: int
    parameters: int  # of a row
    batch: int  # samples of a minibatch
    layer_entries: list[int]  # a sample, of the inputs and of every layer's output
    number_bytes: int
    working_bytes: int | None = None
    most_rows: int | None = None
    compiled: bool = False

    @property
    def rows_per_chunk(self) -> int:
        """The most rows that are trained together: what fits the cache, and the memory."""
        state = STATE_MATRICES * self.parameters
        if self.compiled:
            most = COMPILED_PART_BYTES // (self.number_bytes * (state + self._activations // 2))
        else:
            most = PART_BYTES // (self.number_bytes * (state + self._activations))
        if self.working_bytes is not None:
            most = min(most, self.working_bytes // self.training_bytes)
        if self.most_rows is not None:
            most = min(most, self.most_rows)
        return (equal_part if self.compiled else even_part)(self.rows, max(1, most))

    @property
    def training_bytes(self) -> int:
        """What training a row takes besides its parameters and moments: activations, and the
        gradients twice, as they are found and where they are kept."""
        return self.number_bytes * (self._activations + 2 * self.parameters)

    @property
    def _activations(self) -> int:
        """Entries of a row: what is computed, and its gradients."""
        return 2 * self.batch * sum(self.layer_entries)

    @property
    def widest(self) -> int:
        """Entries a sample of the widest input or output of any layer of the network."""
        return max(self.layer_entries)

    def affordable(self, entries: int, copies: int) -> int:
        """Return ``entries``, or as many as may be held ``copies`` times."""
        if self.working_bytes is None:
            return entries
        return min(entries, self.working_bytes // (copies * self.number_bytes))

    def chunks(self) -> list[slice]:
        """Return even blocks of rows, each small enough to be trained within the cache."""
        step = self.rows_per_chunk
        return [slice(start, min(start + step, self.rows)) for start in range(0, self.rows, step)]


def layer_entries(network: Network, inputs: Mapping[str, Tensor]) -> list[int]:
    """Count one agent's entries a sample of the inputs (n, S, *shape) and every layer's output."""
    sample = {name: values[0, :1] for name, values in inputs.items()}
    entries = [values.numel() for values in sample.values()]

    def note(module: nn.Module, inputs: object, output: object) -> None:  # noqa: ARG001
        if isinstance(output, Tensor):
            entries.append(output.numel())

    layers = [module for module in network.modules() if not list(module.children())]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.no_grad():
            network.eval()(sample)
    finally:
        for hook in hooks:
            hook.remove()
    return entries


def even_part(total: int, largest: int) -> int:
    """Return the size of equal parts of ``total``, at most ``largest`` each: no rest is small."""
    return -(-total // -(-total // largest))


def equal_part(total: int, largest: int) -> int:
    """Return :func:`even_part`, or somewhat less where that divides the total."""
    fewest = -(-total // largest)
    counts = range(fewest, fewest + fewest // 2 + 1)
    return next((total // n for n in counts if total % n == 0), even_part(total, largest))


EVALUATION_BYTES = 16 << 20
"""What an evaluation of the smallest chunks takes."""


def working_bytes(
    limit: str | None, *, held_bytes: int, state_bytes: int, least_bytes: int, agents: int
) -> int | None:
    """Return what ``limit`` leaves for training and evaluation; None: as much as they like.

    ``held_bytes`` lie there already: libraries and data; ``state_bytes`` will: parameters and
    moments of all agents; ``least_bytes`` is what working on one row at a time takes.

    Raises:
        ConfigError: that does not fit; the message says what would.
    """
    if limit is None:
        return None
    needed = held_bytes + state_bytes + least_bytes + EVALUATION_BYTES
    left = parse_memory(limit) - held_bytes - state_bytes
    if left < least_bytes + EVALUATION_BYTES:
        work = format_bytes(least_bytes + EVALUATION_BYTES)
        raise ConfigError(
            f"memory limit {limit} is too small: {format_bytes(needed)} are needed, "
            f"{format_bytes(held_bytes)} for libraries and data, {format_bytes(state_bytes)} for "
            f"parameters and optimizer state of {agents} agents, {work} to work with; raise it, or "
            "train fewer agents, narrower networks, or with --optimizer sgd"
        )
    return left
