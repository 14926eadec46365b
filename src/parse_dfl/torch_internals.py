"""Wrap everything of torch that is not its documented interface, in one place.

Written for torch 2.13; ``tests/test_torch_internals.py`` names the versions that all was tried in.
What may move with a release is imported or called here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.optim.adam import adam as fused_adam
from torch.optim.adamw import adamw as fused_adamw
from torch.optim.sgd import sgd as fused_sgd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from parse_dfl.errors import ConfigError

__all__ = [
    "OperationCounter",
    "compile_graph",
    "foreach_add_",
    "foreach_copy_",
    "fused_adam",
    "fused_adamw",
    "fused_sgd",
    "swapped_parameters",
    "trace",
]

OLDEST_COMPILER = "2.8"
"""The first torch whose Inductor compiles a graph for given tensors without torch.compile."""
ONE_OF_SEVERAL = {"cpp_wrapper": True, "cpp.threads": 1}
"""On a processor: nothing in Python, so that other threads run meanwhile, each on its own core."""

foreach_add_ = torch._foreach_add_
foreach_copy_ = torch._foreach_copy_

ParameterSlot = tuple[nn.Module, str]
"""A module and the name of its parameter."""


@contextmanager
def swapped_parameters(slots: Sequence[ParameterSlot], values: Sequence[Tensor]) -> Iterator[None]:
    """Temporarily replace parameters by ``values``, which may be any tensors.

    ``functional_call`` does the same with names, which costs a lookup a parameter and step.
    """
    kept = [module._parameters[name] for module, name in slots]
    for (module, name), value in zip(slots, values, strict=True):
        module._parameters[name] = value  # type: ignore[assignment]
    try:
        yield
    finally:
        for (module, name), parameter in zip(slots, kept, strict=True):
            module._parameters[name] = parameter


def trace(function: Callable[..., object], example: Sequence[Tensor]) -> GraphModule:
    """Write down ``function`` as a straight list of tensor operations, autograd's among them."""
    from torch.fx.experimental.proxy_tensor import make_fx  # slow to import

    return make_fx(function)(*example)


def compile_graph(graph: GraphModule, example: Sequence[Tensor]) -> Callable[..., object]:
    """Compile a graph for tensors like these.

    Since there is one for each shape, no call needs the checks that torch.compile would put around
    it.

    Raises:
        ConfigError: this torch cannot, or there is no C++ compiler.
        OSError: the compiler cannot write.
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


def by_inductor(graph: GraphModule, example: Sequence[Tensor]) -> Callable[..., object]:
    """Compile a graph with Inductor.

    Raises:
        ConfigError: this torch cannot.
    """
    if torch.__version__ < OLDEST_COMPILER:
        raise ConfigError(
            f"--compile needs torch {OLDEST_COMPILER} or newer, not {torch.__version__}; "
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
    """Return the first line of an error's text, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class OperationCounter(TorchDispatchMode):
    """Counts floating-point operations in ``total``, as torch's FlopCounterMode does.

    That one would load the compiler, which takes seconds.
    """

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        if count := flop_registry.get(func.overloadpacket):
            self.total += count(*args, **given, out_val=result)
        return result
