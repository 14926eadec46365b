"""Agents of one signature, trained at once: one forward and backward for all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

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
        self._parameters: list[nn.Parameter] = []
        self._gradients: list[Tensor] = []
        self._owners: list[str] = []

    def bind(self, label: str, rows: BranchRows, block: slice) -> None:
        """Let the component's parameters be views of ``block``, and its gradients too."""
        self.rows[label], self.blocks[label] = rows, block
        component = self.network.parts[label]
        for column in rows.columns:
            shape = (block.stop - block.start, *column.shape)
            parameter = nn.Parameter(rows.theta[block, column.slice].view(shape))
            _replace(component, column.name, parameter)
            self._parameters.append(parameter)
            self._gradients.append(rows.gradient[block, column.slice].view(shape))
            self._owners.append(label)

    def _precision(self) -> torch.autocast:
        device = self._draw_keys.device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=self._mixed_precision)

    def round_batches(self, round: int, steps: int) -> tuple[dict[str, Tensor], Tensor]:
        """All minibatches of a round: inputs (n, steps, B, *shape) and labels (n, steps, B)."""
        positions = torch.from_numpy(self.plan.positions(round, steps))
        return self.data.gather(positions.to(self.data.label.device))

    def outputs(self, inputs: Mapping[str, Tensor], block: slice) -> Outputs:
        """What the networks of the rows of ``block`` make of inputs (rows, B, *shape)."""
        alone = block.stop - block.start == 1
        rows = block.start if alone else block
        own = {
            name: value[rows]
            for name, value in self.network.named_parameters()
            if value.requires_grad
        }
        if not alone:
            return functional_call(self.network, own, (inputs,))
        single = {name: value[0] for name, value in inputs.items()}
        alone_outputs: Outputs = functional_call(self.network, own, (single,))
        return alone_outputs.map(lambda value: value.unsqueeze(0))

    def gradients(
        self,
        objective: Objective,
        inputs: Mapping[str, Tensor],
        label: Tensor,
        *,
        round: int,
        step: int,
    ) -> set[str]:
        """Write the gradients of one minibatch; the labels of the branches that have any."""
        self.network.train()
        counter = torch.full_like(self._draw_keys, (round << 20) + step)
        with drawing(hash_tensor(self._draw_keys, counter)), self._precision():
            outputs = self._forward(inputs)
            loss = objective(outputs, Batch(label, self._weight, self._log_prior)).sum()
        found = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        touched = set()
        for owner, target, value in zip(self._owners, self._gradients, found, strict=True):
            if value is None:
                target.zero_()
            else:
                target.copy_(value)
                touched.add(owner)
        return touched


def log_prior(counts: Tensor) -> Tensor:
    """The logarithm of smoothed label frequencies, shape=(n, C)."""
    smoothed = counts + PRIOR_SMOOTHING
    return (smoothed / smoothed.sum(1, keepdim=True)).log()


def _replace(component: nn.Module, name: str, parameter: nn.Parameter) -> None:
    path, _, leaf = name.rpartition(".")
    setattr(component.get_submodule(path), leaf, parameter)
