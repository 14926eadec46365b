"""A training step as one compiled function: forward, loss and backward of a cohort's rows.

The step is written down as a straight list of tensor operations, autograd's own among them, and
Inductor fuses what lies between the matrix products.  What the forward draws is made outside and
passed in, so that a compiled run sees the numbers that every other run sees.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from parse_dfl.errors import ConfigError
from parse_dfl.networks.randomness import Draws
from parse_dfl.objectives import Batch, Objective

Gradients = tuple[Tensor | None, ...]
Differentiate = Callable[[Objective, Sequence[Tensor], "Sample"], Gradients]
"""The gradients of a loss by some parameters, None where it does not depend on one."""


@dataclass(frozen=True)
class Sample:
    """What a step of n rows learns from."""

    inputs: Mapping[str, Tensor]  # each shape=(n, B, *shape)
    batch: Batch
    draws: Draws


class CompiledSteps:
    """The compiled steps of one cohort: one for each objective and number of rows."""

    def __init__(self, differentiate: Differentiate, name: str) -> None:
        self._differentiate = differentiate
        self._name = name
        self._steps: dict[tuple[Objective, int], Differentiate] = {}

    def __call__(
        self, objective: Objective, parameters: Sequence[Tensor], sample: Sample
    ) -> Gradients:
        """The gradients; what finds them is compiled when it is first asked for.

        Raises:
            ConfigError: there is no compiler, or it failed.
        """
        key = objective, len(sample.batch.label)
        if key not in self._steps:
            self._steps[key] = self._prepared(objective, parameters, sample)
        return self._steps[key](objective, parameters, sample)

    def _prepared(
        self, objective: Objective, parameters: Sequence[Tensor], sample: Sample
    ) -> Differentiate:
        """The compiled step, or the step as it is, with one message, where it depends on more than
        the shapes of its tensors."""
        try:
            step = _Step(self._differentiate, objective, parameters, sample)
        except (RuntimeError, TypeError, ValueError) as reason:
            warnings.warn(
                f"the training step of {self._name} cannot be compiled and runs as it is "
                f"({first_line(reason)})",
                stacklevel=4,
            )
            return self._differentiate
        step.compile(parameters, sample)
        return step


class _Step:
    """One step, written down for these shapes and this objective."""

    def __init__(
        self,
        differentiate: Differentiate,
        objective: Objective,
        parameters: Sequence[Tensor],
        sample: Sample,
    ) -> None:
        from torch.fx.experimental.proxy_tensor import make_fx  # slow to import

        recorder = _Recorder(copy.copy(sample.draws))
        differentiate(objective, parameters, Sample(sample.inputs, sample.batch, recorder))
        self._drawn = recorder.calls
        self._named = list(sample.inputs)
        self._found: list[bool] = []
        width = len(parameters)

        def flat(*values: Tensor) -> tuple[Tensor, ...]:
            leaves = [value.detach().requires_grad_() for value in values[:width]]
            found = differentiate(objective, leaves, self._sample(values[width:]))
            self._found = [value is not None for value in found]
            return tuple(value for value in found if value is not None)

        graph = make_fx(flat)(*self._arguments(parameters, sample))
        graph.graph.eliminate_dead_code()
        graph.recompile()
        self._run: Callable[..., Sequence[Tensor]] = graph

    def compile(self, parameters: Sequence[Tensor], sample: Sample) -> None:
        """Compile what was written down; takes seconds.

        Raises:
            ConfigError: there is no compiler, or it failed.
        """
        self._run = by_inductor(self._run)
        try:
            self(None, parameters, sample)
        except RuntimeError as reason:
            cause = getattr(reason, "inner_exception", reason)
            raise ConfigError(
                f"--compile: {first_line(cause)}; it needs a C++ compiler "
                "(CXX names another one); leave the option out to run without"
            ) from reason

    def __call__(
        self,
        objective: Objective | None,  # noqa: ARG002 - it is written into the step
        parameters: Sequence[Tensor],
        sample: Sample,
    ) -> Gradients:
        with torch.no_grad():
            found = iter(self._run(*self._arguments(parameters, sample)))
        return tuple(next(found) if there else None for there in self._found)

    def _arguments(self, parameters: Sequence[Tensor], sample: Sample) -> list[Tensor]:
        """All tensors; from the inputs on in the order in which :meth:`_sample` reads them."""
        batch, draws = sample.batch, copy.copy(sample.draws)  # which count what was drawn of them
        numbers = [] if batch.number is None else [batch.number]
        return [
            *parameters,
            *(sample.inputs[name] for name in self._named),
            *(draw(draws) for draw in self._drawn),
            batch.label,
            batch.weight,
            batch.log_prior,
            *numbers,
        ]

    def _sample(self, values: Sequence[Tensor]) -> Sample:
        left = iter(values)
        inputs = {name: next(left) for name in self._named}
        drawn = [next(left) for _ in self._drawn]
        return Sample(inputs, Batch(*left), _Given(drawn))


def by_inductor(graph: Callable[..., Sequence[Tensor]]) -> Callable[..., Sequence[Tensor]]:
    """The graph, compiled when it is first called; there is one for each shape, so that no call
    needs to check any."""
    return torch.compile(
        graph,
        dynamic=False,
        fullgraph=True,
        options={"guard_filter_fn": torch.compiler.skip_all_guards_unsafe},
    )


def first_line(error: Exception) -> str:
    """What it says first, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Recorder(Draws):
    """Draws that note what was asked of them."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self.calls: list[Callable[[Draws], Tensor]] = []

    def _noted(self, call: Callable[[Draws], Tensor]) -> Tensor:
        self.calls.append(call)
        return call(self._draws)

    def keys(self) -> Tensor:
        return self._noted(lambda draws: draws.keys())

    def keep(self, probability: float, shape: torch.Size) -> Tensor:
        return self._noted(lambda draws: draws.keep(probability, shape))

    def dropout(self, p: float, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        return self._noted(lambda draws: draws.dropout(p, shape, dtype))

    def normal(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        return self._noted(lambda draws: draws.normal(shape, dtype))


class _Given(Draws):
    """Draws that were made before, in the order in which they are asked for."""

    def __init__(self, drawn: Sequence[Tensor]) -> None:
        self._left: Iterator[Tensor] = iter(drawn)

    def keys(self) -> Tensor:
        return next(self._left)

    def keep(self, probability: float, shape: torch.Size) -> Tensor:  # noqa: ARG002
        return next(self._left)

    def dropout(self, p: float, shape: torch.Size, dtype: torch.dtype) -> Tensor:  # noqa: ARG002
        return next(self._left)

    def normal(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:  # noqa: ARG002
        return next(self._left)
