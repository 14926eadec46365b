"""Make a user's module work on the rows of a stack.

A module built of ``nn.Sequential`` and the layers of :mod:`parse_dfl.networks.layers` already
does, and plain linear, convolution and normalisation layers of ``torch.nn`` in an
``nn.Sequential`` become such layers.  Any other module is mapped over the rows by
``torch.func.vmap``, and, where vmap cannot handle it, by a plain loop with one message.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from parse_dfl.errors import ConfigError
from parse_dfl.networks import layers
from parse_dfl.networks.counter_rng import current_rng, use_rng

_ELEMENTWISE = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.Identity)
_BATCHED_LAYERS = tuple(
    getattr(layers, name)
    for name in (
        "Linear", "Conv1d", "Conv2d", "Conv3d", "GroupNorm", "LayerNorm", "Dropout",
        "ChannelsFirst", "GlobalPool", "FlattenSample",
    )
)  # fmt: skip
_BATCHED_TWINS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: layers.Linear,
    nn.Conv1d: layers.Conv1d,
    nn.Conv2d: layers.Conv2d,
    nn.Conv3d: layers.Conv3d,
    nn.LayerNorm: layers.LayerNorm,
}
"""Layers of ``torch.nn`` whose batched layer computes the same from the same attributes."""


def batched(module: nn.Module, *, sample_axes: int | None = None) -> nn.Module:
    """Return the module itself, or a wrapper of it, that takes weights and inputs with a row axis.

    A module without any trainable parameter cannot tell from its weights whether its input has
    rows: ``sample_axes``, the number of axes of one sample, tells it.

    Raises:
        ConfigError: the module holds batch normalisation, whose buffers are not parameters and
            would be neither averaged nor repeatable; use GroupNorm.
    """
    _refuse_batch_norm(module)
    _adopt_batched_layers(module)
    if _supports_agent_axis(module):
        return module
    if _uses_torch_dropout(module):
        warnings.warn(
            "a module uses torch.nn.Dropout: its runs repeat only on the same engine; "
            "parse_dfl.networks.layers.Dropout repeats everywhere",
            stacklevel=2,
        )
    return VmappedModule(module, sample_axes)


def _adopt_batched_layers(module: nn.Module) -> None:
    """Let the plain layers of a sequence work on rows; a subclass may do anything and stays."""
    if type(module) is nn.Sequential:
        for part in module:
            _adopt_batched_layers(part)
    elif type(module) in _BATCHED_TWINS and _has_a_twin(module):
        module.__class__ = _BATCHED_TWINS[type(module)]


def _has_a_twin(module: nn.Module) -> bool:
    if isinstance(module, nn.LayerNorm):
        return len(module.normalized_shape) == 1 and module.bias is not None
    return getattr(module, "padding_mode", "zeros") == "zeros"


def _uses_torch_dropout(module: nn.Module) -> bool:
    return any(isinstance(part, _DropoutNd) for part in module.modules())


def _refuse_batch_norm(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm):
            raise ConfigError(
                f"{type(part).__name__} at {name or 'the root'!r} of {type(module).__name__}: "
                "batch statistics cannot be averaged between agents; use torch.nn.GroupNorm instead"
            )


def _supports_agent_axis(module: nn.Module) -> bool:
    if isinstance(module, nn.Sequential):
        return all(_supports_agent_axis(part) for part in module)
    if isinstance(
        module, _BATCHED_LAYERS
    ):  # frozen in part, its weights would differ in their axes
        return len({value.requires_grad for value in module.parameters()}) < 2
    return getattr(module, "supports_agent_axis", False) or isinstance(module, _ELEMENTWISE)


class VmappedModule(nn.Module):
    """Any module, mapped over rows: its parameters carry a row axis when its inputs do."""

    supports_agent_axis = True

    def __init__(self, module: nn.Module, sample_axes: int | None = None) -> None:
        super().__init__()
        self.module = module
        self._axes = {name: value.dim() for name, value in module.named_parameters()}
        self._sample_axes = sample_axes
        self._seeds_torch = _uses_torch_dropout(module)
        self._loops = False

    def forward(self, *inputs: Tensor) -> Tensor:
        """Apply to inputs ``(B, …)`` or ``(n, B, …)``, which a module may want to ``view``."""
        inputs = tuple(value.contiguous() for value in inputs)
        values = dict(self.module.named_parameters())
        stacked = {name: value for name, value in values.items() if value.dim() > self._axes[name]}
        if not stacked:
            return self._shared(inputs)
        rng = current_rng()
        keys = None if rng is None else rng.keys()
        with self._seeded(keys):
            return self._over_rows(stacked, keys, inputs)

    def _shared(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Apply one set of weights to all rows: they are one large batch."""
        if self._sample_axes is None or inputs[0].dim() <= self._sample_axes + 1:
            return self.module(*inputs)
        output: Tensor = self.module(*[value.flatten(0, 1) for value in inputs])
        return output.unflatten(0, inputs[0].shape[:2])

    @contextmanager
    def _seeded(self, keys: Tensor | None) -> Iterator[None]:
        """Seed torch's own generator where the module draws from it, so that runs repeat."""
        if keys is None or not self._seeds_torch:
            yield
            return
        devices = [keys.device] if keys.is_cuda else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(keys.sum()))
            yield

    def _over_rows(
        self, stacked: Mapping[str, Tensor], keys: Tensor | None, inputs: tuple[Tensor, ...]
    ) -> Tensor:
        if not self._loops:
            try:
                return self._mapped(stacked, keys, inputs)
            except (RuntimeError, ValueError, NotImplementedError) as reason:
                self._loops = True
                warnings.warn(
                    f"{type(self.module).__name__} cannot be vectorised over agents and runs as a "
                    f"loop ({str(reason).splitlines()[0]})",
                    stacklevel=2,
                )
        return self._looped(stacked, keys, inputs)

    def _call(self, values: Mapping[str, Tensor], key: Tensor | None, *inputs: Tensor) -> Tensor:
        """Apply to one row; what it draws depends on its own key alone."""
        with nullcontext() if key is None else use_rng(key.unsqueeze(0)):
            output: Tensor = functional_call(self.module, dict(values), inputs)
        return output

    def _mapped(
        self, stacked: Mapping[str, Tensor], keys: Tensor | None, inputs: tuple[Tensor, ...]
    ) -> Tensor:
        axes = (dict.fromkeys(stacked, 0), None if keys is None else 0, *[0] * len(inputs))
        return vmap(self._call, in_dims=axes, randomness="different")(stacked, keys, *inputs)

    def _looped(
        self, stacked: Mapping[str, Tensor], keys: Tensor | None, inputs: tuple[Tensor, ...]
    ) -> Tensor:
        outputs = []
        for row in range(len(inputs[0])):
            values = {name: value[row] for name, value in stacked.items()}
            key = None if keys is None else keys[row]
            outputs.append(self._call(values, key, *[value[row] for value in inputs]))
        return torch.stack(outputs)
