"""How many of a stack's rows, and how many samples, are worked on at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parse_dfl.networks.network import Network

STATE_MATRICES = 4
"""Parameters, gradients and two moments, each of a row's width."""
PART_BYTES = 48 << 20
"""State and activations of the rows that are trained together: about what a processor's last cache
holds.  More rows a part would mean fewer, longer operations, but each would read from memory."""
COMPILED_PART_BYTES = 8 << 20
"""The same where steps are compiled, and an operation more costs little: nearer to a core.  Few of
the activations are alive at a time there, so that they count once and not with their gradients."""


@dataclass(kw_only=True)
class Chunks:
    """What a stack's work takes, row by row, and what of it is done together.

    ``working_bytes`` is what the work may take besides parameters and moments; None: what it likes.
    Where steps are ``compiled``, each number of rows of a part costs seconds once; ``most_rows``
    leaves parts for others who work at the same time.
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
    def height(self) -> int:
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
        """``entries``, or as many as may be held ``copies`` times."""
        if self.working_bytes is None:
            return entries
        return min(entries, self.working_bytes // (copies * self.number_bytes))

    def parts(self) -> list[slice]:
        """Even blocks of rows, each small enough to be trained within the cache."""
        return [
            slice(start, min(start + self.height, self.rows))
            for start in range(0, self.rows, self.height)
        ]


def layer_entries(network: Network, inputs: Mapping[str, Tensor]) -> list[int]:
    """Entries a sample of the inputs (n, S, *shape) and of every layer's output, for one agent."""
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
    """The size of equal parts of ``total``, at most ``largest`` each: no rest is left alone."""
    return -(-total // -(-total // largest))


def equal_part(total: int, largest: int) -> int:
    """:func:`even_part`, or somewhat less where that divides the total."""
    fewest = -(-total // largest)
    counts = range(fewest, fewest + fewest // 2 + 1)
    return next((total // n for n in counts if total % n == 0), even_part(total, largest))
