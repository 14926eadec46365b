"""Make a user's module work on the rows of a cohort.

A module built of ``nn.Sequential`` and the layers of :mod:`parse_dfl.networks.layers` already
does.  Plain ``torch.nn`` layers inside ``nn.Sequential`` are exchanged for those.  Any other
module is mapped over the rows by ``torch.func.vmap``, and, where vmap cannot handle it, by a
plain loop with one message.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from parse_dfl.errors import ConfigError
from parse_dfl.networks import layers

_ELEMENTWISE = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.Identity)
_ROW_LAYERS = tuple(
    getattr(layers, name)
    for name in (
        "Linear", "Conv1d", "Conv2d", "Conv3d", "GroupNorm", "LayerNorm", "Dropout",
        "ChannelsFirst", "GlobalPool", "FlattenSample",
    )
)  # fmt: skip


def lift(module: nn.Module) -> nn.Module:
    """The module itself, or a wrapper of it, that accepts weights and inputs with a row axis.

    Raises:
        ConfigError: the module holds batch normalisation, whose buffers are not parameters and
            would be neither averaged nor repeatable; use GroupNorm.
    """
    _refuse_batch_norm(module)
    if any(isinstance(part, nn.modules.dropout._DropoutNd) for part in module.modules()):
        warnings.warn(
            "a module uses torch.nn.Dropout: its runs repeat only on the same engine; "
            "parse_dfl.networks.layers.Dropout repeats everywhere",
            stacklevel=2,
        )
    return module if _is_rowwise(module) else RowMap(module)


def _refuse_batch_norm(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm):
            raise ConfigError(
                f"{type(part).__name__} at {name or 'the root'!r} of {type(module).__name__}: "
                "batch statistics cannot be averaged between agents; use torch.nn.GroupNorm instead"
            )


def _is_rowwise(module: nn.Module) -> bool:
    if getattr(module, "rowwise", False) or isinstance(module, (*_ELEMENTWISE, *_ROW_LAYERS)):
        return True
    return isinstance(module, nn.Sequential) and all(_is_rowwise(part) for part in module)


class RowMap(nn.Module):
    """Any module, mapped over rows: its parameters carry a row axis when its inputs do."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._axes = {name: value.dim() for name, value in module.named_parameters()}
        self._loops = False

    def forward(self, *inputs: Tensor) -> Tensor:
        """Apply to inputs ``(B, …)`` or ``(n, B, …)``."""
        values = dict(self.module.named_parameters())
        stacked = {name: value for name, value in values.items() if value.dim() > self._axes[name]}
        if not stacked:
            output: Tensor = self.module(*inputs)
            return output
        if not self._loops:
            try:
                return self._mapped(stacked, inputs)
            except (RuntimeError, ValueError, NotImplementedError) as reason:
                self._loops = True
                warnings.warn(
                    f"{type(self.module).__name__} cannot be vectorised over agents and runs as a "
                    f"loop ({str(reason).splitlines()[0]})",
                    stacklevel=2,
                )
        return self._looped(stacked, inputs)

    def _call(self, values: Mapping[str, Tensor], *inputs: Tensor) -> Tensor:
        output: Tensor = functional_call(self.module, dict(values), inputs)
        return output

    def _mapped(self, stacked: Mapping[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        axes = (dict.fromkeys(stacked, 0), *[0] * len(inputs))
        return vmap(self._call, in_dims=axes, randomness="different")(stacked, *inputs)

    def _looped(self, stacked: Mapping[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        rows = range(len(inputs[0]))
        values = [{name: value[row] for name, value in stacked.items()} for row in rows]
        return torch.stack(
            [self._call(values[row], *[value[row] for value in inputs]) for row in rows]
        )
