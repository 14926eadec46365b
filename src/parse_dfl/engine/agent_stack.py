"""Agents of one signature, trained at once: one forward and backward for all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec
from parse_dfl.engine.agent_data import StackData
from parse_dfl.engine.compiled import BlockSteps, CommonRates, CompiledSteps, StepConstants
from parse_dfl.engine.memory_plan import Chunks, layer_entries
from parse_dfl.engine.optimizer import Update, update_unevenly
from parse_dfl.engine.rates import Rates, common_rate, rates_of
from parse_dfl.engine.sampler import Choice, Chooser, Minibatch
from parse_dfl.engine.state import BranchState, ParamSlice, StateBlock, param_slices
from parse_dfl.methods.base import Stage
from parse_dfl.networks.counter_rng import use_rng
from parse_dfl.networks.losses import Batch, Objective
from parse_dfl.networks.network import Network, Outputs

PRIOR_SMOOTHING = 0.5
"""Added to every class count before the prior's logarithm: a class that an agent never saw keeps
a finite prior (Krichevsky and Trofimov, 1981)."""

STEPS_AHEAD = 4
"""Steps whose minibatches are gathered, and whose draws are made, at once."""


@dataclass(frozen=True)
class Views:
    """The rows that are trained together, as the network and as the optimizer sees them."""

    parameters: Sequence[Tensor]  # each shape=(rows, *shape), to differentiate by
    targets: Sequence[Tensor]  # where each one's gradient goes
    rows: Mapping[str, StateBlock]  # by the branch's label
    fixed: StepConstants


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
        self.network = network
        self.data = data
        name = f"the {agents[0].group} agents"
        self._compiled = CompiledSteps(partial(self._steps, update), name) if update else None
        self._mixed_precision = mixed_precision
        self._chooser = Chooser(agents, data.sizes, batch_size, data.label.device)
        like = next(iter(data.inputs.values()))
        self._weight = torch.from_numpy(self._chooser.plan.weight).to(like.device, like.dtype)
        parts = network.parts.values()
        self.chunks = Chunks(
            rows=len(agents),
            parameters=sum(column.width for part in parts for column in param_slices(part)),
            batch=self._chooser.plan.width,
            layer_entries=layer_entries(network, data.inputs),
            number_bytes=like.element_size(),
            compiled=update is not None and like.device.type == "cpu",
        )
        self._log_prior = (prior_correction * log_prior(data.label_counts)).to(like.dtype)
        self.rows: dict[str, BranchState] = {}
        self.blocks: dict[str, slice] = {}
        self._places: list[tuple[nn.Module, str, nn.Parameter]] = []
        self._columns: list[ParamSlice] = []
        self._owners: list[str] = []
        self._known_views: dict[tuple[int, int], Views] = {}
        # Stages are kept beside their rates: what is kept alive has an id of its own.
        self._known_rates: dict[tuple[int, int, int], tuple[Stage, Rates]] = {}
        self._known_steps: dict[tuple[int, int, int, int], BlockSteps | None] = {}

    def bind(self, label: str, rows: BranchState, block: slice) -> None:
        """Let the component's parameters be views of ``block``."""
        self.rows[label], self.blocks[label] = rows, block
        component = self.network.parts[label]
        for column in rows.columns:
            shape = (block.stop - block.start, *column.shape)
            parameter = nn.Parameter(rows.params[block, column.slice].view(shape))
            path, _, leaf = column.name.rpartition(".")
            module = component.get_submodule(path)
            setattr(module, leaf, parameter)
            self._places.append((module, leaf, parameter))
            self._columns.append(column)
            self._owners.append(label)

    def _precision(self) -> torch.autocast:
        return torch.autocast(
            self._weight.device.type, dtype=torch.bfloat16, enabled=self._mixed_precision
        )

    @property
    def all_rows(self) -> slice:
        """The whole stack as a block."""
        return slice(0, len(self.agents))

    def minibatches(self, block: slice, round: int, steps: int) -> Iterator[Minibatch]:
        """The minibatches of a round for the rows of ``block``, step by step."""
        samples = self.views(block).fixed.samples
        for choice in self.choices(block, round, steps, STEPS_AHEAD):
            yield from samples.minibatches(choice)

    def choices(self, block: slice, round: int, steps: int, together: int) -> Iterator[Choice]:
        """What :meth:`minibatches` are gathered by, so many steps ``together``."""
        return self._chooser.choices(block, round, steps, together)

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
    def _seen(self, rows: slice | int) -> Iterator[None]:
        """Let the network see the parameters of these rows alone, or of one without a row axis."""
        with self._swapped([parameter.detach()[rows] for _, _, parameter in self._places]):
            yield

    @contextmanager
    def _swapped(self, leaves: Sequence[Tensor]) -> Iterator[None]:
        """Let the network see these tensors in place of its parameters."""
        for (module, name, _), leaf in zip(self._places, leaves, strict=True):
            module._parameters[name] = leaf  # type: ignore[assignment]
        try:
            yield
        finally:
            for module, name, parameter in self._places:
                module._parameters[name] = parameter

    def compiled_steps(self, stage: Stage, block: slice, steps: int) -> BlockSteps | None:
        """What takes so many whole steps with the rows of ``block``, update included, compiled
        when it is first asked for; None where the steps of this stack are not compiled.  Those of
        several blocks may be taken at the same time."""
        if self._compiled is None:
            return None
        key = id(stage), block.start, block.stop, steps
        if key not in self._known_steps:
            self._train_mode()
            views, example = self.views(block), next(self.choices(block, 1, steps, steps))
            rates = self.rates(stage, block)
            common = tuple(common_rate(rates[label]) for label in views.rows)
            rate = self._weight.new_tensor([rates[label] for label in views.rows])
            fixed = replace(views.fixed, rate=rate.double())
            self._known_steps[key] = self._compiled.of(stage, common, views.rows, fixed, example)
        return self._known_steps[key]

    def _steps(
        self,
        update: Update,
        stage: Stage,
        rates: CommonRates,
        rows: Mapping[str, StateBlock],
        fixed: StepConstants,
        choice: Choice,
        lr: Tensor,
    ) -> None:
        """What is compiled: each step's gradients, and updates of the branches that have any."""
        for step in range(len(choice)):
            (minibatch,) = fixed.samples.minibatches(choice.part(slice(step, step + 1)))
            parameters = [
                rows[label].params[:, c.slice].unflatten(1, c.shape).detach().requires_grad_()
                for label, c in zip(self._owners, self._columns, strict=True)
            ]
            found = self._differentiate(stage.objective, parameters, minibatch, fixed)
            for index, (label, own) in enumerate(rows.items()):
                rate = rates[index]
                places = [place for place, owner in enumerate(self._owners) if owner == label]
                if rate == 0 or all(found[place] is None for place in places):
                    continue
                parts = [_or_zero(found[p], parameters[p]).flatten(1) for p in places]
                if rate is None:
                    update_unevenly(update, own, torch.cat(parts, 1), lr * fixed.rate[index])
                else:
                    update(own, torch.cat(parts, 1), lr * rate)

    def rates(self, stage: Stage, block: slice) -> Rates:
        """The stage's learning-rate factors for the rows of ``block``, asked for once."""
        key = id(stage), block.start, block.stop
        if key not in self._known_rates:
            rows = self.views(block).rows
            self._known_rates[key] = stage, rates_of(stage, rows, self.agents[block])
        return self._known_rates[key][1]

    def gradients(self, objective: Objective, minibatch: Minibatch, block: slice) -> set[str]:
        """Write the gradients of one minibatch of the rows of ``block``; the labels of the
        branches that have any."""
        views = self.views(block)
        self._train_mode()
        found = self._differentiate(objective, views.parameters, minibatch, views.fixed)
        written = [place for place, value in enumerate(found) if value is not None]
        if len(written) < len(found):
            for target, value in zip(views.targets, found, strict=True):
                if value is None:
                    target.zero_()
        there = [value for value in found if value is not None]
        torch._foreach_copy_([views.targets[place] for place in written], there)
        return {self._owners[place] for place in written}

    def _train_mode(self) -> None:
        if not self.network.training:
            self.network.train()

    def _differentiate(
        self,
        objective: Objective,
        parameters: Sequence[Tensor],
        minibatch: Minibatch,
        fixed: StepConstants,
    ) -> tuple[Tensor | None, ...]:
        """The gradients of the summed losses by the network's parameters, None where they do not
        depend on one."""
        batch = Batch(minibatch.label, fixed.weight, fixed.log_prior, minibatch.number)
        with self._swapped(parameters), use_rng(minibatch.draws), self._precision():
            loss = objective(self.network(minibatch.inputs), batch).sum()
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    def views(self, block: slice) -> Views:
        """What training the rows of ``block`` reads and writes, made once."""
        key = block.start, block.stop
        if key not in self._known_views:
            rows = {label: self.rows[label].block(self._own(label, block)) for label in self.rows}
            leaves = [parameter.detach()[block] for _, _, parameter in self._places]
            targets = [
                rows[label].gradient[:, column.slice].view_as(leaf)
                for label, column, leaf in zip(self._owners, self._columns, leaves, strict=True)
            ]
            fixed = StepConstants(
                self.data.samples(block),
                self._weight[block],
                self._log_prior[block],
                self._weight.new_ones(len(rows), block.stop - block.start),
            )
            leaves = [leaf.requires_grad_() for leaf in leaves]
            self._known_views[key] = Views(leaves, targets, rows, fixed)
        return self._known_views[key]

    def _own(self, label: str, block: slice) -> slice:
        """Where the rows of ``block`` lie in a branch."""
        first = self.blocks[label].start
        return slice(first + block.start, first + block.stop)


def _or_zero(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient


def log_prior(counts: Tensor) -> Tensor:
    """The logarithm of smoothed label frequencies, shape=(n, C)."""
    smoothed = counts + PRIOR_SMOOTHING
    return (smoothed / smoothed.sum(1, keepdim=True)).log()
