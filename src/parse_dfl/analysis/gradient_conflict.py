"""Measure gradient conflict: whether uni- and multimodal agents pull shared parameters apart.

Two agents that exchange branches on one overlay are put at one common θ: every shared branch is
the mean over its overlay's members, everything else stays the agent's own.  There each agent's
gradient of its stage's objective is taken over a whole batch, without drop-out, and the pair's
cosine on the branches that both share says whether one agent's step helps the other's loss.

Measured on each agent's own samples, where different data conflict too, and on the same held-out
samples for all, where only the modalities differ.  Pairs of equal modality sets are the baseline.
It reads the simulator and changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.func import functional_call

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch, stable_hash
from parse_dfl.engine.agent_stack import AgentStack, log_prior
from parse_dfl.engine.simulator import Simulator
from parse_dfl.methods.base import Stage
from parse_dfl.networks.losses import Batch, Objective

MOST_AGENTS = 16
"""Agents of one modality set and seed that are measured, picked by a hash of their names: at most
256 pairs of any two sets, whatever the federation's size."""
HELD_OUT_SAMPLES = 256
ALL_BRANCHES = "all"
"""The name under which a pair's cosine over all its shared branches at once stands."""

OWN, HELD_OUT = "own", "held-out"


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """The cosines of one kind of pairs on one branch: how many, how many below 0, their mean.

    ``pairs`` is ``uni-multi``, ``equal`` (modality sets), or ``other``; ``samples`` is ``own``
    or ``held-out``.
    """

    branch: str
    samples: str
    pairs: str
    count: int
    negative_share: float
    mean_cosine: float


@dataclass
class _Owned:
    """The gradients of one branch: one row per measured owner."""

    agents: list[AgentSpec] = field(default_factory=list)
    rows: list[Tensor] = field(default_factory=list)  # each shape=(P,)


Gradients = dict[Branch, _Owned]


def measure_conflict(simulator: Simulator, held_out: Tensor) -> dict[int, list[Conflict]]:
    """Return seed → conflicts at the simulator's present parameters.

    ``held_out`` numbers the common samples (int64, shape=(T,)).  Empty lists where a stage
    exchanges nothing.
    """
    common = _common_theta(simulator)
    by_own_samples: dict[int, Gradients] = {}
    same: dict[int, Gradients] = {}
    for stack in simulator.layout.stacks:
        for seed, rows in _measured_rows(stack).items():
            index = torch.tensor(rows, device=simulator.trainer.data.device)
            point = {name: common[part.branch][stack.blocks[name]][index]
                     for name, part in stack.rows.items()}  # fmt: skip
            objective, agents = simulator.stage.objective, [stack.agents[row] for row in rows]
            for batch, by_seed in (
                (_own_batch(stack, index), by_own_samples),
                (_same_batch(simulator, stack, index, held_out), same),
            ):
                gradients = _gradients(stack, point, objective, *batch)
                _collect(by_seed.setdefault(seed, {}), stack, agents, gradients)
    return {
        seed: [
            *_conflicts(by_own_samples[seed], simulator.stage, OWN),
            *_conflicts(same[seed], simulator.stage, HELD_OUT),
        ]
        for seed in sorted(by_own_samples)
    }


def _common_theta(simulator: Simulator) -> dict[Branch, Tensor]:
    """Return every branch's rows, each replaced by the mean over the overlay that it belongs to."""
    common = {}
    for branch, rows in simulator.layout.branches.items():
        theta = rows.params.clone()
        for members in simulator.mixing_cache.overlays(rows, simulator.stage).values():
            theta[members] = theta[members].mean(0)
        common[branch] = theta
    return common


def _measured_rows(stack: AgentStack) -> dict[int, list[int]]:
    """Return seed → the rows of the agents that are measured."""
    by_seed: dict[int, list[int]] = {}
    for row, agent in enumerate(stack.agents):
        by_seed.setdefault(agent.seed, []).append(row)

    def draw(row: int) -> int:
        agent = stack.agents[row]
        return stable_hash(agent.seed, agent.name, "conflict")

    return {seed: sorted(sorted(rows, key=draw)[:MOST_AGENTS]) for seed, rows in by_seed.items()}


def _own_batch(stack: AgentStack, rows: Tensor) -> tuple[dict[str, Tensor], Batch]:
    """Return all samples of each agent, under its own label prior."""
    inputs, batch = stack.full_batch()
    return {name: values[rows] for name, values in inputs.items()}, batch.rows(rows)


def _same_batch(
    simulator: Simulator, stack: AgentStack, rows: Tensor, samples: Tensor
) -> tuple[dict[str, Tensor], Batch]:
    """Return the same samples for each agent, as its own statistics standardise them.

    The label prior is that of the samples: one and the same for all.
    """
    data, number = simulator.trainer.data, len(rows)
    inputs = {}
    for name in stack.data.inputs:
        values = data.modalities[name][samples].unsqueeze(0)
        standardised = [
            stack.data.standardise(name, values, slice(row, row + 1)) for row in rows.tolist()
        ]
        inputs[name] = torch.cat(standardised)
    label = data.label[samples]
    counts = torch.bincount(label, minlength=data.classes).to(data.dtype).unsqueeze(0)
    prior = simulator.trainer.training.prior_correction * log_prior(counts)
    weight = torch.full((number, len(samples)), 1 / len(samples)).to(data.device, data.dtype)
    numbers = torch.arange(len(samples), device=data.device).expand(number, -1)
    return inputs, Batch(label.expand(number, -1), weight, prior.expand(number, -1), numbers)


def _gradients(
    stack: AgentStack,
    point: Mapping[str, Tensor],
    objective: Objective,
    inputs: Mapping[str, Tensor],
    batch: Batch,
) -> dict[str, Tensor]:
    """Return component → each row's gradient, shape=(rows, P), where it has any."""
    leaves = {label: theta.clone().requires_grad_() for label, theta in point.items()}
    parameters = {
        f"parts.{label}.{column.name}": theta[:, column.slice].view(len(theta), *column.shape)
        for label, theta in leaves.items()
        for column in stack.rows[label].columns
    }
    stack.network.eval()
    loss = objective(functional_call(stack.network, parameters, (inputs,)), batch).sum()
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return {
        label: value.detach()
        for label, value in zip(leaves, gradients, strict=True)
        if value is not None
    }


def _collect(
    collected: Gradients,
    stack: AgentStack,
    agents: Sequence[AgentSpec],
    gradients: Mapping[str, Tensor],
) -> None:
    for label, values in gradients.items():
        owned = collected.setdefault(stack.rows[label].branch, _Owned())
        owned.agents += agents
        owned.rows += list(values)


def _conflicts(gradients: Gradients, stage: Stage, samples: str) -> Iterator[Conflict]:
    """Yield one federation's conflicts, branch by branch, then over all shared branches at once."""
    products: dict[tuple[AgentSpec, AgentSpec], Tensor] = {}
    cosines: dict[tuple[str, str], list[float]] = {}
    for branch, owned in sorted(gradients.items()):
        for pair, product in _products(branch, owned, stage):
            cosines.setdefault((branch.label, _kind(*pair)), []).extend(_cosine(product))
            products[pair] = products.get(pair, torch.zeros_like(product)) + product
    for pair, product in products.items():
        cosines.setdefault((ALL_BRANCHES, _kind(*pair)), []).extend(_cosine(product))
    for (branch_label, pairs), values in cosines.items():
        if values:
            yield Conflict(
                branch=branch_label,
                samples=samples,
                pairs=pairs,
                count=len(values),
                negative_share=sum(value < 0 for value in values) / len(values),
                mean_cosine=sum(values) / len(values),
            )


def _products(
    branch: Branch, owned: _Owned, stage: Stage
) -> Iterator[tuple[tuple[AgentSpec, AgentSpec], Tensor]]:
    """Yield each pair on one overlay with (⟨g_i, g_j⟩, ‖g_i‖², ‖g_j‖²), shape=(3,)."""
    labels = [stage.sharing(branch, agent) for agent in owned.agents]
    matrix = torch.stack(owned.rows).to("cpu", torch.float64)
    gram = matrix @ matrix.T
    for i, first in enumerate(owned.agents):
        for j in range(i + 1, len(owned.agents)):
            if labels[i] is not None and labels[i] == labels[j]:
                second = owned.agents[j]
                yield (first, second), torch.stack([gram[i, j], gram[i, i], gram[j, j]])


def _cosine(product: Tensor) -> list[float]:
    """Return the cosine, or nothing where one of the gradients is zero."""
    inner, first, second = product.tolist()
    length = (first * second) ** 0.5
    return [inner / length] if length > 0 else []


def _kind(first: AgentSpec, second: AgentSpec) -> str:
    if first.modalities == second.modalities:
        return "equal"
    lone = [len(agent.modalities) == 1 for agent in (first, second)]
    return "uni-multi" if lone[0] != lone[1] else "other"
