"""Take one training step of a part's rows: bind a network to them, and compile whole steps.

Compiled steps are written down as a straight list of tensor operations, autograd's own among them,
and Inductor fuses what lies between the matrix products.  What the forward draws is a hash of the
rows' keys, so that a compiled run sees the numbers that every other run sees.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from parse_dfl.engine.optimizer import Update, update_unevenly
from parse_dfl.engine.sampler import Choice, Minibatch, Samples
from parse_dfl.engine.state import BranchState, ParamSlice, StateBlock
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Stage
from parse_dfl.networks.counter_rng import use_rng
from parse_dfl.networks.losses import Batch, Objective
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.torch_internals import compile_graph, first_line, swapped_parameters, trace

Blocks = Mapping[str, StateBlock]
"""The rows that are trained together, by the branch's label."""


@dataclass(frozen=True)
class StepConstants:
    """Tensors that all steps of the same n rows share."""

    samples: Samples
    weight: Tensor  # of an agent's samples in a batch, shape=(n, B)
    log_prior: Tensor  # shape=(n, C)
    rate: Tensor  # the learning-rate factor of each branch and row, shape=(branches, n)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order in which :meth:`like` reads them."""
        return *self.samples.tensors, self.weight, self.log_prior, self.rate

    def like(self, tensors: Sequence[Tensor]) -> StepConstants:
        """Return the same of these tensors."""
        *samples, weight, log_prior, rate = tensors
        return StepConstants(self.samples.like(samples), weight, log_prior, rate)


@dataclass(frozen=True)
class BoundParameter:
    """One parameter of the network and the columns of a branch that it is a view of."""

    label: str  # the branch's
    columns: ParamSlice
    value: nn.Parameter  # shape=(n, *shape)

    def of(self, rows: Mapping[str, StateBlock]) -> Tensor:
        """Return the same parameter of other rows, shape=(rows, *shape), detached."""
        matrix = rows[self.label].params
        return matrix[:, self.columns.slice].unflatten(1, self.columns.shape).detach()


class BoundNetwork:
    """n equal networks, evaluated at once: one module whose parameters have a row axis.

    Args:
        network: the module, on the device that trains.
        mixed_precision: compute forward passes in bfloat16.
        device: its device.
    """

    def __init__(self, network: Network, *, mixed_precision: bool, device: torch.device) -> None:
        self.network = network
        self.parameters: list[BoundParameter] = []
        self._slots: list[tuple[nn.Module, str]] = []
        self._mixed_precision, self._device = mixed_precision, device

    def bind(self, label: str, rows: BranchState, block: slice) -> None:
        """Let the component's parameters be views of ``block``."""
        component = self.network.parts[label]
        for columns in rows.columns:
            shape = (block.stop - block.start, *columns.shape)
            parameter = nn.Parameter(rows.params[block, columns.slice].view(shape))
            path, _, leaf = columns.name.rpartition(".")
            module = component.get_submodule(path)
            setattr(module, leaf, parameter)
            self._slots.append((module, leaf))
            self.parameters.append(BoundParameter(label, columns, parameter))

    def outputs(self, inputs: Mapping[str, Tensor], block: slice) -> Outputs:
        """Return the outputs of the networks of the rows of ``block`` for inputs
        (rows, B, *shape), without gradients."""
        if self.network.training:
            self.network.eval()
        if block.stop - block.start > 1:
            with self._with(self._rows(block)):
                return self.network(inputs)
        with self._with(self._rows(block.start)):  # without a row axis
            single = {name: value[0] for name, value in inputs.items()}
            outputs: Outputs = self.network(single)
            return outputs.map(lambda value: value.unsqueeze(0))

    def _rows(self, rows: slice | int) -> list[Tensor]:
        return [parameter.value.detach()[rows] for parameter in self.parameters]

    def _with(self, values: Sequence[Tensor]) -> AbstractContextManager[None]:
        """Temporarily replace the network's parameters by ``values``."""
        return swapped_parameters(self._slots, values)

    def gradients(
        self,
        objective: Objective,
        parameters: Sequence[Tensor],
        minibatch: Minibatch,
        constants: StepConstants,
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients of the summed losses by ``parameters``, which stand in for the
        network's own; None where they do not depend on one."""
        batch = Batch(minibatch.label, constants.weight, constants.log_prior, minibatch.number)
        autocast = torch.autocast(
            self._device.type, dtype=torch.bfloat16, enabled=self._mixed_precision
        )
        with self._with(parameters), use_rng(minibatch.draws), autocast:
            loss = objective(self.network(minibatch.inputs), batch).sum()
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    def train_mode(self) -> None:
        """Prepare for training steps."""
        if not self.network.training:
            self.network.train()


CommonRates = tuple[float | None, ...]
"""The learning-rate factor of each branch that all its rows have; None where they differ."""


def take_steps(
    bound: BoundNetwork,
    update: Update,
    stage: Stage,
    rates: CommonRates,
    rows: Blocks,
    constants: StepConstants,
    choice: Choice,
    lr: Tensor,
) -> None:
    """Take the steps that are compiled: gradients, and updates of the branches that have any."""
    labels = [parameter.label for parameter in bound.parameters]
    for step in range(len(choice)):
        (minibatch,) = constants.samples.minibatches(choice.part(slice(step, step + 1)))
        parameters = [parameter.of(rows).requires_grad_() for parameter in bound.parameters]
        gradients = bound.gradients(stage.objective, parameters, minibatch, constants)
        for number, (label, block) in enumerate(rows.items()):
            rate = rates[number]
            indices = [index for index, owner in enumerate(labels) if owner == label]
            if rate == 0 or all(gradients[index] is None for index in indices):
                continue
            columns = [_or_zero(gradients[i], parameters[i]).flatten(1) for i in indices]
            if rate is None:
                update_unevenly(update, block, torch.cat(columns, 1), lr * constants.rate[number])
            else:
                update(block, torch.cat(columns, 1), lr * rate)


def _or_zero(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient


Steps = Callable[[Stage, CommonRates, Blocks, StepConstants, Choice, Tensor], None]
"""Take steps with the rows, in place, as many as are chosen samples for; the last argument is the
learning rate, shape=()."""
PartSteps = Callable[[Choice, Tensor], None]
"""The same of given rows and stage."""


class CompiledSteps:
    """The compiled steps of one stack, by stage, learning-rate factors, steps and rows."""

    def __init__(self, steps: Steps, name: str) -> None:
        self._steps = steps
        self._name = name
        self._compiled: dict[tuple[int, CommonRates, int, int], _CompiledStep | None] = {}

    def bind(
        self,
        stage: Stage,
        rates: CommonRates,
        blocks: Blocks,
        constants: StepConstants,
        example: Choice,
    ) -> PartSteps | None:
        """Return a function that takes steps of these rows, for choices like the ``example``.

        It is compiled when first asked for with so many.  None, and one warning, where the steps
        depend on more than the shapes of their tensors, or the compiler fails.

        Raises:
            ConfigError: there is no compiler, or it cannot write.
        """
        steps, rows = example.number.shape[:2]
        key = stage.number, rates, steps, rows
        if key not in self._compiled:
            run = partial(self._steps, stage, rates)
            self._compiled[key] = self._compile(run, blocks, constants, example)
        compiled = self._compiled[key]
        bound = [*_tensors(blocks), *constants.tensors]
        return None if compiled is None else partial(compiled, bound)

    def _compile(
        self,
        steps: Callable[[Blocks, StepConstants, Choice, Tensor], None],
        blocks: Blocks,
        constants: StepConstants,
        example: Choice,
    ) -> _CompiledStep | None:
        """Write down the steps with copies of the rows, and compile them."""
        copies = {label: block.map(Tensor.clone) for label, block in blocks.items()}
        try:
            return _CompiledStep(steps, copies, constants, example)
        except ConfigError:
            raise
        except OSError as reason:
            raise ConfigError(
                f"--compile: {reason}; it must write files (TORCHINDUCTOR_CACHE_DIR names another "
                "folder); leave the option out to run without"
            ) from reason
        except (RuntimeError, TypeError, ValueError) as reason:
            warnings.warn(
                f"the training step of {self._name} cannot be compiled and runs as it is "
                f"({first_line(reason)})",
                stacklevel=5,
            )
            return None


class _CompiledStep:
    """Steps of one stage, written down for these shapes and compiled, which takes seconds.

    Raises:
        ConfigError: there is no compiler.
        RuntimeError: it failed.
    """

    def __init__(
        self,
        steps: Callable[[Blocks, StepConstants, Choice, Tensor], None],
        blocks: Blocks,
        constants: StepConstants,
        example: Choice,
    ) -> None:
        def flat(*values: Tensor) -> list[Tensor]:
            left = iter(values)
            given = {label: block.map(lambda _: next(left)) for label, block in blocks.items()}
            *common, number, keys, lr = left
            steps(given, constants.like(common), Choice(number, keys), lr)
            return []

        lr = torch.zeros((), dtype=torch.float64, device=example.number.device)
        values = [*_tensors(blocks), *constants.tensors, example.number, example.keys, lr]
        self._run = compile_graph(trace(flat, values), values)

    def __call__(self, bound: Sequence[Tensor], choice: Choice, lr: Tensor) -> None:
        with torch.no_grad():
            self._run(*bound, choice.number, choice.keys, lr)


def _tensors(blocks: Blocks) -> list[Tensor]:
    return [value for block in blocks.values() for value in block.tensors]
