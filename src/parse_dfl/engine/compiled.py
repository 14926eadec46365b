"""Training steps as one compiled function: forward, loss, backward and update of a stack's rows.

The steps are written down as a straight list of tensor operations, autograd's own among them, and
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

from parse_dfl.engine.sampler import Choice, Samples
from parse_dfl.engine.state import StateBlock
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Stage

OLDEST = "2.8"
"""The first torch whose Inductor compiles a graph for given tensors without torch.compile."""
ONE_OF_SEVERAL = {"cpp_wrapper": True, "cpp.threads": 1}
"""On a processor: nothing in Python, so that others run at the same time, each on its own core."""

Rows = Mapping[str, StateBlock]
"""What is trained, by the branch's label."""


@dataclass(frozen=True)
class StepConstants:
    """What all steps of the same n rows have in common."""

    samples: Samples
    weight: Tensor  # of an agent's samples in a batch, shape=(n, B)
    log_prior: Tensor  # shape=(n, C)
    rate: Tensor  # the learning-rate factor of each branch and row, shape=(branches, n)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order in which :meth:`like` reads them."""
        return *self.samples.tensors, self.weight, self.log_prior, self.rate

    def like(self, tensors: Sequence[Tensor]) -> StepConstants:
        """The same of these tensors."""
        *samples, weight, log_prior, rate = tensors
        return StepConstants(self.samples.like(samples), weight, log_prior, rate)


CommonRates = tuple[float | None, ...]
"""The learning-rate factor of each branch that all its rows have; None where they differ."""
Steps = Callable[[Stage, CommonRates, Rows, StepConstants, Choice, Tensor], None]
"""Steps of the rows, in place, as many as are chosen samples for; the last argument is the learning
rate, shape=()."""
BlockSteps = Callable[[Choice, Tensor], None]
"""The same of given rows and stage."""


class CompiledSteps:
    """The compiled steps of one stack: for each stage, number of rows and steps,
    and learning-rate factors in common."""

    def __init__(self, steps: Steps, name: str) -> None:
        self._steps = steps
        self._name = name
        self._written: dict[tuple[int, CommonRates, int, int], _Written | None] = {}
        self._stages: list[Stage] = []  # what is kept alive has an id of its own

    def of(
        self, stage: Stage, rates: CommonRates, rows: Rows, fixed: StepConstants, example: Choice
    ) -> BlockSteps | None:
        """What takes steps of these rows with choices like the ``example``; compiled when
        first asked for with so many.  None, and one message, where they depend on more than the
        shapes of their tensors, or the compiler fails.

        Raises:
            ConfigError: there is no compiler, or it cannot write.
        """
        steps, height = example.number.shape[:2]
        key = id(stage), rates, steps, height
        if key not in self._written:
            self._stages.append(stage)
            self._written[key] = self._prepared(
                partial(self._steps, stage, rates), rows, fixed, example
            )
        written = self._written[key]
        return None if written is None else partial(written, [*_tensors(rows), *fixed.tensors])

    def _prepared(
        self,
        steps: Callable[[Rows, StepConstants, Choice, Tensor], None],
        rows: Rows,
        fixed: StepConstants,
        example: Choice,
    ) -> _Written | None:
        """The steps, written down with copies of the rows."""
        copies = {label: block.map(Tensor.clone) for label, block in rows.items()}
        try:
            return _Written(steps, copies, fixed, example)
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


class _Written:
    """Steps of one stage, written down for these shapes and compiled, which takes seconds.

    Raises:
        ConfigError: there is no compiler.
        RuntimeError: it failed.
    """

    def __init__(
        self,
        steps: Callable[[Rows, StepConstants, Choice, Tensor], None],
        rows: Rows,
        fixed: StepConstants,
        example: Choice,
    ) -> None:
        from torch.fx.experimental.proxy_tensor import make_fx  # slow to import

        def flat(*values: Tensor) -> list[Tensor]:
            left = iter(values)
            own = {label: block.map(lambda _: next(left)) for label, block in rows.items()}
            *common, number, keys, lr = left
            steps(own, fixed.like(common), Choice(number, keys), lr)
            return []

        lr = torch.zeros((), dtype=torch.float64, device=example.number.device)
        values = [*_tensors(rows), *fixed.tensors, example.number, example.keys, lr]
        self._run = _compiled(make_fx(flat)(*values), values)

    def __call__(self, bound: Sequence[Tensor], choice: Choice, lr: Tensor) -> None:
        with torch.no_grad():
            self._run(*bound, choice.number, choice.keys, lr)


def _compiled(graph: GraphModule, example: Sequence[Tensor]) -> Callable[..., object]:
    """The graph, compiled.

    Raises:
        ConfigError: there is no compiler.
        OSError: it cannot write.
        RuntimeError: it failed.
    """
    from torch._inductor.exc import InvalidCxxCompiler  # slow to import

    try:
        return by_inductor(graph, example)
    except RuntimeError as reason:
        cause = getattr(reason, "inner_exception", reason)
        if isinstance(cause, OSError):
            raise cause from reason
        if not isinstance(cause, InvalidCxxCompiler):
            raise RuntimeError(first_line(cause)) from reason
        raise ConfigError(
            f"--compile: {first_line(cause)}; it needs a C++ compiler "
            "(CXX names another one); leave the option out to run without"
        ) from reason


def _tensors(rows: Rows) -> list[Tensor]:
    return [value for block in rows.values() for value in block.tensors]


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

    on_cpu = example[0].device.type == "cpu"
    return standalone_compile(
        graph,
        list(example),
        dynamic_shapes="from_example_inputs",
        options={"config_patches": ONE_OF_SEVERAL} if on_cpu else {},
    )


def first_line(error: Exception) -> str:
    """What it says first, or its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
