"""Stack agents of one architecture, and divide a stack into parts that are trained at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.engine.agent_data import StackData
from parse_dfl.engine.optimizer import Rates, Update, common_rate, rates_of
from parse_dfl.engine.sampler import BatchSampler, Minibatch, batch_weights
from parse_dfl.engine.state import BranchState, param_slices
from parse_dfl.engine.training_step import (
    Blocks,
    BoundNetwork,
    CompiledSteps,
    PartSteps,
    StepConstants,
    take_steps,
)
from parse_dfl.methods.base import Stage
from parse_dfl.networks.losses import Batch, Objective
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.torch_internals import foreach_copy_

PRIOR_SMOOTHING = 0.5
"""Added to every class count before the prior's logarithm: a class that an agent never saw keeps
a finite prior (Krichevsky and Trofimov, 1981)."""

STEPS_AHEAD = 4
"""Steps whose minibatches are gathered, and whose draws are made, at once."""

STATE_MATRICES = 4
"""Parameters, gradients and two moments, each of a row's width."""
PART_BYTES = 48 << 20
"""State and activations of the rows that are trained together: about what a processor's last cache
holds.  More rows a part would mean fewer, longer operations, but each would read from memory."""
COMPILED_PART_BYTES = 8 << 20
"""The same where steps are compiled, and an operation more costs little: nearer to a core.  Few of
the activations are alive at a time there, so that they count once and not with their gradients."""


class AgentStack:
    """n agents with equal networks; their parameters are views of the branches' rows."""

    def __init__(
        self,
        agents: Sequence[AgentSpec],
        network: Network,
        data: StackData,
        *,
        batch_size: int,
        prior_correction: float,
        mixed_precision: bool = False,
        update: Update | None = None,
    ) -> None:
        self.agents = list(agents)
        self.data = data
        like = next(iter(data.inputs.values()))
        self.bound = BoundNetwork(network, mixed_precision=mixed_precision, device=like.device)
        self.batch_size = batch_size
        weights = batch_weights(data.sizes, batch_size)
        self.weight = torch.from_numpy(weights).to(like.device, like.dtype)
        self.log_prior = (prior_correction * log_prior(data.label_counts)).to(like.dtype)
        parts = network.parts.values()
        self.memory_plan = MemoryPlan(
            rows=len(agents),
            parameters=sum(columns.width for part in parts for columns in param_slices(part)),
            batch=weights.shape[1],
            layer_entries=layer_entries(network, data.inputs),
            number_bytes=like.element_size(),
            compiled=update is not None and like.device.type == "cpu",
        )
        self.rows: dict[str, BranchState] = {}
        self.blocks: dict[str, slice] = {}
        name = f"the {agents[0].group} agents"
        steps = partial(take_steps, self.bound, update) if update else None
        self.compiled_steps = CompiledSteps(steps, name) if steps else None

    @property
    def network(self) -> Network:
        """The module whose parameters are bound to the rows."""
        return self.bound.network

    def bind(self, label: str, rows: BranchState, block: slice) -> None:
        """Let the component's parameters be views of ``block``."""
        self.rows[label], self.blocks[label] = rows, block
        self.bound.bind(label, rows, block)

    @cached_property
    def parts(self) -> list[StackPart]:
        """The parts that are trained one after another, or in threads; ask once all is bound."""
        return [StackPart(self, block) for block in self.memory_plan.chunks()]

    @cached_property
    def whole(self) -> StackPart:
        """All rows as one part."""
        return StackPart(self, self.all_rows)

    @property
    def all_rows(self) -> slice:
        """The whole stack as a block."""
        return slice(0, len(self.agents))

    def full_batch(self) -> tuple[Mapping[str, Tensor], Batch]:
        """Return every agent's samples as one batch: inputs (n, S, *shape), padding without
        weight."""
        sizes = torch.from_numpy(self.data.sizes).to(self.weight.device).unsqueeze(1)
        number = torch.arange(self.data.label.shape[1], device=sizes.device)
        weight = (number < sizes).to(self.weight.dtype) / sizes
        numbers = number.expand_as(self.data.label)
        return self.data.inputs, Batch(self.data.label, weight, self.log_prior, numbers)

    def outputs(self, inputs: Mapping[str, Tensor], block: slice) -> Outputs:
        """Return the outputs of the networks of the rows of ``block`` for inputs
        (rows, B, *shape), without gradients."""
        return self.bound.outputs(inputs, block)


class StackPart:
    """Rows of a stack that are trained together: views of their state, and their minibatches."""

    def __init__(self, stack: AgentStack, block: slice) -> None:
        self._bound, self._compiled_steps = stack.bound, stack.compiled_steps
        self.agents = stack.agents[block]
        self.rows: Blocks = {
            label: rows.block(_shifted(block, stack.blocks[label].start))
            for label, rows in stack.rows.items()
        }
        self.training_bytes = stack.memory_plan.training_bytes * len(self.agents)
        self.sampler = BatchSampler(
            self.agents,
            stack.data.sizes[block],
            stack.batch_size,
            width=stack.weight.shape[1],
            device=stack.weight.device,
        )
        self.constants = StepConstants(
            stack.data.samples(block),
            stack.weight[block],
            stack.log_prior[block],
            stack.weight.new_ones(len(self.rows), len(self.agents)),
        )
        leaves = [parameter.value.detach()[block] for parameter in self._bound.parameters]
        self._targets = [  # where each parameter's gradient goes
            self.rows[parameter.label].gradient[:, parameter.columns.slice].view_as(leaf)
            for parameter, leaf in zip(self._bound.parameters, leaves, strict=True)
        ]
        self._leaves = [leaf.requires_grad_() for leaf in leaves]
        self._rates: dict[int, Rates] = {}  # by stage
        self._steps: dict[tuple[int, int], PartSteps | None] = {}  # by stage, and steps at once

    def rates(self, stage: Stage) -> Rates:
        """Return the stage's learning-rate factors, asked for once."""
        if stage.number not in self._rates:
            self._rates[stage.number] = rates_of(stage, self.rows, self.agents)
        return self._rates[stage.number]

    def minibatches(self, round: int, steps: int) -> Iterator[Minibatch]:
        """Yield the minibatches of a round step by step."""
        for choice in self.sampler.choices(round, steps, STEPS_AHEAD):
            yield from self.constants.samples.minibatches(choice)

    def gradients(self, objective: Objective, minibatch: Minibatch) -> set[str]:
        """Write the gradients of one minibatch; return the labels of the branches that have any."""
        self._bound.train_mode()
        gradients = self._bound.gradients(objective, self._leaves, minibatch, self.constants)
        written = [index for index, value in enumerate(gradients) if value is not None]
        if len(written) < len(gradients):
            for target, value in zip(self._targets, gradients, strict=True):
                if value is None:
                    target.zero_()
        present = [value for value in gradients if value is not None]
        foreach_copy_([self._targets[index] for index in written], present)
        return {self._bound.parameters[index].label for index in written}

    def compiled_steps(self, stage: Stage, steps: int) -> PartSteps | None:
        """Return a function that takes whole steps, updates included; compile it on first use.

        None where the steps of this stack are not compiled.  Those of several parts may be taken
        at the same time.
        """
        if self._compiled_steps is None:
            return None
        key = stage.number, steps
        if key not in self._steps:
            self._bound.train_mode()
            rates = self.rates(stage)
            common = tuple(common_rate(rates[label]) for label in self.rows)
            rate = self.constants.rate.new_tensor([rates[label] for label in self.rows])
            constants = replace(self.constants, rate=rate.double())
            example = next(self.sampler.choices(1, steps, steps))
            self._steps[key] = self._compiled_steps.bind(
                stage, common, self.rows, constants, example
            )
        return self._steps[key]


def _shifted(block: slice, start: int) -> slice:
    return slice(start + block.start, start + block.stop)


def log_prior(counts: Tensor) -> Tensor:
    """Return the logarithm of smoothed label frequencies, shape=(n, C)."""
    smoothed = counts + PRIOR_SMOOTHING
    return (smoothed / smoothed.sum(1, keepdim=True)).log()


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
        """Memory for training a row besides its parameters and moments: activations, and the
        gradients twice, as autograd returns them and where they are kept."""
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
