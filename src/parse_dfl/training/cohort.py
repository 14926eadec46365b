"""Agents of one signature, trained at once: one forward and backward for all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.networks.randomness import drawing, hash_tensor
from parse_dfl.objectives import Batch, Objective
from parse_dfl.training.batches import BatchPlan, agent_key
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.shards import CohortData

PRIOR_SMOOTHING = 0.5
"""Added to every class count before the prior's logarithm: a class that an agent never saw keeps
a finite prior (Krichevsky and Trofimov, 1981)."""

STATE_MATRICES = 4
"""Parameters, gradients and two moments, each of a row's width."""
PART_BYTES = 48 << 20
"""State and activations of the rows that are trained together: about what a processor's last cache
holds.  More rows a part would mean fewer, longer operations, but each would read from memory."""


@dataclass(frozen=True)
class Minibatch:
    """One step's samples of n agents; ``number`` tells an agent's samples apart."""

    inputs: Mapping[str, Tensor]  # each shape=(n, B, *shape)
    label: Tensor  # shape=(n, B), dtype=int64
    number: Tensor  # shape=(n, B), dtype=int64


class Cohort:
    """n agents with equal networks; their parameters are views of the branches' rows."""

    def __init__(
        self,
        agents: Sequence[AgentSpec],
        network: Network,
        data: CohortData,
        *,
        batch_size: int,
        prior_correction: float,
        mixed_precision: bool = False,
        compiled: bool = False,
    ) -> None:
        self.agents = list(agents)
        self.network = network
        self.data = data
        self._forward = torch.compile(network, dynamic=False) if compiled else network
        self._mixed_precision = mixed_precision
        keys = np.array([agent_key(agent, "batches") for agent in agents], dtype=np.uint64)
        self.plan = BatchPlan(keys, data.sizes, batch_size)
        device = data.label.device
        like = next(iter(data.inputs.values()))
        self._weight = torch.from_numpy(self.plan.weight).to(device, like.dtype)
        self._log_prior = prior_correction * log_prior(data.label_counts)
        draws = [agent_key(agent, "draws") for agent in agents]
        self._draw_keys = torch.tensor(draws, dtype=torch.int64, device=device)
        self.rows: dict[str, BranchRows] = {}
        self.blocks: dict[str, slice] = {}
        self._places: list[tuple[nn.Module, str, nn.Parameter]] = []
        self._gradients: list[Tensor] = []
        self._owners: list[str] = []

    def bind(self, label: str, rows: BranchRows, block: slice) -> None:
        """Let the component's parameters be views of ``block``, and its gradients too."""
        self.rows[label], self.blocks[label] = rows, block
        component = self.network.parts[label]
        for column in rows.columns:
            shape = (block.stop - block.start, *column.shape)
            parameter = nn.Parameter(rows.theta[block, column.slice].view(shape))
            path, _, leaf = column.name.rpartition(".")
            module = component.get_submodule(path)
            setattr(module, leaf, parameter)
            self._places.append((module, leaf, parameter))
            self._gradients.append(rows.gradient[block, column.slice].view(shape))
            self._owners.append(label)

    def _precision(self) -> torch.autocast:
        device = self._draw_keys.device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=self._mixed_precision)

    @property
    def all_rows(self) -> slice:
        """The whole cohort as a block."""
        return slice(0, len(self.agents))

    def parts(self) -> list[slice]:
        """Even blocks of rows, each small enough to be trained within the cache."""
        size = self.data.label.new_empty((), dtype=self._weight.dtype).element_size()
        parameters = sum(column.width for rows in self.rows.values() for column in rows.columns)
        numbers = STATE_MATRICES * parameters + 2 * self.plan.width * sum(self._layer_entries)
        height = even_part(len(self.agents), max(1, PART_BYTES // (size * numbers)))
        return [
            slice(start, min(start + height, len(self.agents)))
            for start in range(0, len(self.agents), height)
        ]

    def minibatches(self, block: slice, round: int, steps: int) -> Iterator[Minibatch]:
        """The minibatches of a round for the rows of ``block``, step by step."""
        positions = torch.from_numpy(self.plan.positions(round, steps, block))
        for chosen in positions.to(self.data.label.device).unbind(1):
            inputs, label = self.data.gather(block.start, chosen)
            yield Minibatch(inputs, label, chosen)

    @property
    def widest(self) -> int:
        """Entries a sample of the widest input or output of any layer of the network."""
        return max(self._layer_entries)

    @cached_property
    def _layer_entries(self) -> list[int]:
        """Entries a sample of the inputs and of every layer's output."""
        inputs = {name: values[:1, :1] for name, values in self.data.inputs.items()}
        entries = [values.numel() for values in inputs.values()]

        def note(module: nn.Module, inputs: object, output: object) -> None:  # noqa: ARG001
            if isinstance(output, Tensor):
                entries.append(output.numel())

        layers = [module for module in self.network.modules() if not list(module.children())]
        hooks = [layer.register_forward_hook(note) for layer in layers]
        try:
            with torch.no_grad():
                self.outputs(inputs, slice(0, 1))
        finally:
            for hook in hooks:
                hook.remove()
        return entries

    def full_batch(self) -> tuple[Mapping[str, Tensor], Batch]:
        """Every agent's samples as one batch: inputs (n, S, *shape), padding without weight."""
        sizes = torch.from_numpy(self.data.sizes).to(self._weight.device).unsqueeze(1)
        number = torch.arange(self.data.label.shape[1], device=sizes.device)
        weight = (number < sizes).to(self._weight.dtype) / sizes
        numbers = number.expand_as(self.data.label)
        return self.data.inputs, Batch(self.data.label, weight, self._log_prior, numbers)

    def outputs(self, inputs: Mapping[str, Tensor], block: slice) -> Outputs:
        """What the networks of the rows of ``block`` make of inputs (rows, B, *shape), without
        gradients."""
        if self.network.training:
            self.network.eval()
        if block.stop - block.start > 1:
            with self._seen(block):
                return self.network(inputs)
        with self._seen(block.start):
            single = {name: value[0] for name, value in inputs.items()}
            alone: Outputs = self.network(single)
            return alone.map(lambda value: value.unsqueeze(0))

    @contextmanager
    def _seen(self, rows: slice | int) -> Iterator[list[Tensor]]:
        """Let the network see the parameters of these rows alone, or of one without a row axis.

        Gives those parameters, as leaves that may ask for gradients.
        """
        leaves = [parameter.detach()[rows] for _, _, parameter in self._places]
        for (module, name, _), leaf in zip(self._places, leaves, strict=True):
            module._parameters[name] = leaf  # type: ignore[assignment]
        try:
            yield leaves
        finally:
            for module, name, parameter in self._places:
                module._parameters[name] = parameter

    def gradients(
        self,
        objective: Objective,
        minibatch: Minibatch,
        block: slice,
        *,
        round: int,
        step: int,
    ) -> set[str]:
        """Write the gradients of one minibatch of the rows of ``block``; the labels of the
        branches that have any."""
        if not self.network.training:
            self.network.train()
        keys = self._draw_keys[block]
        draws = hash_tensor(keys, torch.full_like(keys, (round << 20) + step))
        weight, prior = self._weight[block], self._log_prior[block]
        with self._trained(block) as parameters, drawing(draws), self._precision():
            outputs = self._forward(minibatch.inputs)
            batch = Batch(minibatch.label, weight, prior, minibatch.number)
            loss = objective(outputs, batch).sum()
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        touched = set()
        for owner, target, value in zip(self._owners, self._gradients, found, strict=True):
            if value is None:
                target[block] = 0
            else:
                target[block] = value
                touched.add(owner)
        return touched

    @contextmanager
    def _trained(self, block: slice) -> Iterator[list[Tensor]]:
        """The parameters to differentiate by, which the network sees meanwhile."""
        if block == self.all_rows:
            yield [parameter for _, _, parameter in self._places]
            return
        with self._seen(block) as leaves:
            for leaf in leaves:
                leaf.requires_grad_()
            yield leaves


def log_prior(counts: Tensor) -> Tensor:
    """The logarithm of smoothed label frequencies, shape=(n, C)."""
    smoothed = counts + PRIOR_SMOOTHING
    return (smoothed / smoothed.sum(1, keepdim=True)).log()


def even_part(total: int, largest: int) -> int:
    """The size of equal parts of ``total``, at most ``largest`` each: no rest is left alone."""
    return -(-total // -(-total // largest))
