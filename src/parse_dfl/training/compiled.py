"""A training step as one compiled function: forward, loss, backward and update of a cohort's rows.

The step is written down as a straight list of tensor operations, autograd's own among them, and
Inductor fuses what lies between the matrix products.  What the forward draws is a hash of the
rows' keys, so that a compiled run sees the numbers that every other run sees.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.fx import GraphModule

from parse_dfl.errors import ConfigError
from parse_dfl.methods.method import Stage
from parse_dfl.networks.randomness import Draws
from parse_dfl.objectives import Batch
from parse_dfl.training.rows import RowBlock

OLDEST = "2.8"
"""The first torch whose Inductor compiles a graph for given tensors without torch.compile."""


@dataclass(frozen=True)
class Sample:
    """What a step of n rows learns from."""

    inputs: Mapping[str, Tensor]  # each shape=(n, B, *shape)
    batch: Batch
    draws: Draws


Step = Callable[[Stage, Mapping[str, RowBlock], Sample, Tensor], None]
"""One step of the rows, by branch label, in place; the last argument is the learning rate."""


class CompiledSteps:
    """The compiled steps of one cohort: one for each stage and number of rows."""

    def __init__(self, step: Step, name: str) -> None:
        self._step = step
        self._name = name
        self._steps: dict[tuple[int, int], _Written | None] = {}
        self._stages: list[Stage] = []  # what is kept alive has an id of its own

    def __call__(
        self, stage: Stage, rows: Mapping[str, RowBlock], sample: Sample, lr: Tensor
    ) -> bool:
        """Take the step; what takes it is compiled when it is first asked for.  False, and one
        message, where it depends on more than the shapes of its tensors, or the compiler fails.

        Raises:
            ConfigError: there is no compiler.
        """
        key = id(stage), len(sample.batch.label)
        if key not in self._steps:
            self._stages.append(stage)
            self._steps[key] = self._prepared(stage, rows, sample, lr)
        step = self._steps[key]
        if step is not None:
            step(rows, sample, lr)
        return step is not None

    def _prepared(
        self, stage: Stage, rows: Mapping[str, RowBlock], sample: Sample, lr: Tensor
    ) -> _Written | None:
        """The step, written down with copies of the rows."""
        copies = {label: block.map(Tensor.clone) for label, block in rows.items()}
        try:
            step = _Written(partial(self._step, stage), copies, sample, lr)
            step.compile(copies, sample, lr)
        except ConfigError:
            raise
        except (RuntimeError, TypeError, ValueError) as reason:
            warnings.warn(
                f"the training step of {self._name} cannot be compiled and runs as it is "
                f"({first_line(reason)})",
                stacklevel=5,
            )
            return None
        return step


class _Written:
    """One stage's step, written down for these shapes; takes a step with ``rows``."""

    def __init__(
        self,
        step: Callable[[Mapping[str, RowBlock], Sample, Tensor], None],
        rows: Mapping[str, RowBlock],
        sample: Sample,
        lr: Tensor,
    ) -> None:
        from torch.fx.experimental.proxy_tensor import make_fx  # slow to import

        def flat(*values: Tensor) -> list[Tensor]:
            step(*_unflattened(rows, sample, values))
            return []

        self._graph = make_fx(flat)(*_flattened(rows, sample, lr))
        self._run: Callable[..., object] = self._graph

    def compile(self, rows: Mapping[str, RowBlock], sample: Sample, lr: Tensor) -> None:
        """Compile what was written down; takes seconds.

        Raises:
            ConfigError: there is no compiler.
            RuntimeError: it failed.
        """
        from torch._inductor.exc import InvalidCxxCompiler  # slow to import

        try:
            self._run = by_inductor(self._graph, _flattened(rows, sample, lr))
        except RuntimeError as reason:
            cause = getattr(reason, "inner_exception", reason)
            if not isinstance(cause, InvalidCxxCompiler):
                raise RuntimeError(first_line(cause)) from reason
            raise ConfigError(
                f"--compile: {first_line(cause)}; it needs a C++ compiler "
                "(CXX names another one); leave the option out to run without"
            ) from reason

    def __call__(self, rows: Mapping[str, RowBlock], sample: Sample, lr: Tensor) -> None:
        with torch.no_grad():
            self._run(*_flattened(rows, sample, lr))


def _flattened(rows: Mapping[str, RowBlock], sample: Sample, lr: Tensor) -> list[Tensor]:
    """All tensors, in the order in which :func:`_unflattened` reads them."""
    batch = sample.batch
    return [
        *(value for block in rows.values() for value in block.tensors),
        *sample.inputs.values(),
        sample.draws.row_keys,
        batch.label,
        batch.weight,
        batch.log_prior,
        *([] if batch.number is None else [batch.number]),
        lr,
    ]


def _unflattened(
    rows: Mapping[str, RowBlock], sample: Sample, values: Sequence[Tensor]
) -> tuple[dict[str, RowBlock], Sample, Tensor]:
    """The arguments of a step that are made like these of the tensors given."""
    *others, lr = values
    left = iter(others)
    own = {label: block.map(lambda _: next(left)) for label, block in rows.items()}
    inputs = {name: next(left) for name in sample.inputs}
    return own, Sample(inputs, draws=Draws(next(left)), batch=Batch(*left)), lr


def by_inductor(graph: GraphModule, example: Sequence[Tensor]) -> Callable[..., object]:
    """The graph, compiled for tensors like these; since there is one for each shape, no call needs
    the checks that torch.compile would put around it.

    Raises:
        ConfigError: this torch cannot.
    """
    if torch.__version__ < OLDEST:
        raise ConfigError(
            f"--compile needs torch {OLDEST} or newer, not {torch.__version__}; "
            "leave the option out to run without"
        )
    from torch._inductor import standalone_compile  # slow to import

    return standalone_compile(graph, list(example), dynamic_shapes="from_example_inputs")


def first_line(error: Exception) -> str:
    """What it says first, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
