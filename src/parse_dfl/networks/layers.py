"""Provide layers that work for one agent and for a whole stack alike.

For one agent they are the layers of ``torch.nn``: weights ``(out, in)``, inputs ``(B, in)``.
A stack of n agents stacks its weights along a leading row axis, ``(n, out, in)``, and feeds
inputs ``(n, B, in)``; the same forward then trains every row by one batched product.  A weight
without the row axis (a frozen one) is shared by all rows.  How each product is batched is what
measured fastest on CPU: batched matrix products, grouped 1-d convolutions, a loop over rows
for overlapping 2-d and 3-d ones, patches by reshaping where windows do not overlap.

Dimension letters: n rows, B batch, I inputs, O outputs, C channels, T time, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from parse_dfl.errors import ConfigError
from parse_dfl.networks.counter_rng import current_rng

NARROW = 16
"""Outputs below this number are computed transposed: O is then no inner loop of the product."""


def batched_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute ``x Wᵀ + b`` row by row: (n, B, I), (n, O, I) and (n, O) to (n, B, O).

    The three products of a linear layer are batched by hand, each in the order of operands that
    measured fastest on CPU: autograd's own order reads narrow outputs (a head's classes) three
    times slower and leaves the weights' gradient transposed, which costs another pass.
    """
    autocast = torch.is_autocast_enabled(input.device.type)  # it casts operands and gradients
    if autocast or not torch.is_grad_enabled():
        return _forward(input, weight, bias)
    output: Tensor = _RowProduct.apply(input, weight, bias)  # type: ignore[no-untyped-call]
    return output


def _forward(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if weight.shape[1] < NARROW:
        return _narrow(input, weight, bias)
    if bias is None:
        return torch.bmm(input, weight.mT)
    return torch.baddbmm(bias.unsqueeze(1), input, weight.mT)


def _narrow(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if bias is None:
        return torch.bmm(weight, input.mT).mT.contiguous()
    return torch.baddbmm(bias.unsqueeze(2), weight, input.mT).mT.contiguous()


class _RowProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(input, weight)
        return _forward(input, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (output,) = gradients
        input, weight = ctx.saved_tensors
        of_input, of_weight, of_bias = ctx.needs_input_grad
        return (
            torch.bmm(output, weight) if of_input else None,
            torch.bmm(output.mT, input) if of_weight else None,
            output.sum(1) if of_bias else None,
        )


class Linear(nn.Linear):
    """``y = x Wᵀ + b`` on inputs ``(B, …, in)`` or ``(n, B, …, in)``."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply to the last axis of an input."""
        if self.weight.dim() == 2:
            return functional.linear(input, self.weight, self.bias)
        if input.dim() == 3:
            return batched_linear(input, self.weight, self.bias)
        flat = batched_linear(input.flatten(1, -2), self.weight, self.bias)
        return flat.unflatten(1, input.shape[1:-1])


class _BatchedConv(nn.Module):
    """The forward of convolutions of any dimension; mixed in before ``torch.nn``'s class."""

    axes: ClassVar[int]
    convolve: ClassVar[Callable[..., Tensor]]
    weight: Tensor
    bias: Tensor | None
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...] | str
    dilation: tuple[int, ...]
    groups: int
    padding_mode: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.padding_mode != "zeros":
            raise ConfigError(
                f"{type(self).__name__} pads with zeros only, not {self.padding_mode!r}; "
                f"use torch.nn.{type(self).__name__}"
            )

    def forward(self, input: Tensor) -> Tensor:
        """Apply to an input ``(…, B, channels, *space)``."""
        if self.weight.dim() == self.axes + 2:
            return self._one(input)
        if self._is_patchwise(input):
            return self._patches(input)
        return self._grouped(input) if self.axes == 1 else self._looped(input)

    def _one(self, input: Tensor) -> Tensor:
        if input.dim() == self.axes + 2:  # reshaping would hide that channels lie last in memory
            return self._convolve(input, self.weight, self.bias)
        batch = input.shape[: -1 - self.axes]
        flat = input.reshape(-1, *input.shape[-1 - self.axes :])
        out = self._convolve(flat, self.weight, self.bias)
        return out.reshape(*batch, *out.shape[1:])

    def _convolve(
        self, input: Tensor, weight: Tensor, bias: Tensor | None, rows: int = 1
    ) -> Tensor:
        return type(self).convolve(
            input,
            weight,
            bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups * rows,
        )

    def _is_patchwise(self, input: Tensor) -> bool:
        fits = all(size % k == 0 for size, k in zip(input.shape[3:], self.kernel_size, strict=True))
        plain = self.groups == 1 and set(self.dilation) == {1} and not any(self.padding)
        return fits and plain and self.kernel_size == self.stride

    def _patches(self, input: Tensor) -> Tensor:
        """Convolve by windows that do not overlap: reshape to patches, one batched product."""
        rows, batch, channels = input.shape[:3]
        counts = [size // k for size, k in zip(input.shape[3:], self.kernel_size, strict=True)]
        split = [length for pair in zip(counts, self.kernel_size, strict=True) for length in pair]
        view = input.reshape(rows, batch, channels, *split)
        outer = [3 + 2 * axis for axis in range(self.axes)]
        inner = [4 + 2 * axis for axis in range(self.axes)]
        patches = view.permute(0, 1, *outer, 2, *inner).reshape(rows, -1, self.weight[0, 0].numel())
        out = batched_linear(patches, self.weight.flatten(2), self.bias)
        return out.reshape(rows, batch, *counts, -1).movedim(-1, 2)

    def _grouped(self, input: Tensor) -> Tensor:
        rows = len(input)
        flat = input.transpose(0, 1).flatten(1, 2)
        bias = None if self.bias is None else self.bias.flatten()
        out = self._convolve(flat, self.weight.flatten(0, 1), bias, rows)
        return out.unflatten(1, (rows, -1)).transpose(0, 1)

    def _looped(self, input: Tensor) -> Tensor:
        biases = [None] * len(input) if self.bias is None else self.bias.unbind(0)
        rows = zip(input.unbind(0), self.weight.unbind(0), biases, strict=True)
        return torch.stack([self._convolve(x, weight, bias) for x, weight, bias in rows])


class Conv1d(_BatchedConv, nn.Conv1d):  # type: ignore[misc]
    """1-d convolution on ``(B, C, T)`` or ``(n, B, C, T)``."""

    axes = 1
    convolve = staticmethod(functional.conv1d)


class Conv2d(_BatchedConv, nn.Conv2d):  # type: ignore[misc]
    """2-d convolution on ``(B, C, H, W)`` or ``(n, B, C, H, W)``."""

    axes = 2
    convolve = staticmethod(functional.conv2d)


class Conv3d(_BatchedConv, nn.Conv3d):  # type: ignore[misc]
    """3-d convolution on ``(B, C, T, H, W)`` or ``(n, B, C, T, H, W)``."""

    axes = 3
    convolve = staticmethod(functional.conv3d)


class GroupNorm(nn.GroupNorm):
    """Group normalisation on ``(…, B, C, *space)`` with ``axes`` axes of space."""

    def __init__(self, num_groups: int, num_channels: int, *, axes: int) -> None:
        super().__init__(num_groups, num_channels)
        self.axes = axes

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each sample's groups of channels."""
        if self.weight.dim() > 1 and self._samples_lie_outside(input):
            return self._as_channels(input)
        flat = input.reshape(-1, *input.shape[-1 - self.axes :])
        if self.weight.dim() == 1:
            return super().forward(flat).view_as(input)
        normal = functional.group_norm(flat, self.num_groups, eps=self.eps).view_as(input)
        return torch.addcmul(self._per_channel(self.bias), normal, self._per_channel(self.weight))

    def _samples_lie_outside(self, input: Tensor) -> bool:
        """Return whether rows lie within samples in memory, as grouped convolutions leave them."""
        return input.dim() == self.axes + 3 and input.stride(0) < input.stride(1)

    def _as_channels(self, input: Tensor) -> Tensor:
        """Normalise each row's channels as more channels of one sample: nothing is moved, and
        torch's own kernel scales and shifts."""
        rows = len(input)
        normal = functional.group_norm(
            input.transpose(0, 1).flatten(1, 2),
            self.num_groups * rows,
            self.weight.flatten(),
            self.bias.flatten(),
            self.eps,
        )
        return normal.unflatten(1, (rows, -1)).transpose(0, 1)

    def _per_channel(self, values: Tensor) -> Tensor:
        rows = values if values.dim() == 1 else values.unsqueeze(1)
        return rows[(..., *[None] * self.axes)]

    def extra_repr(self) -> str:
        """Show the arguments as ``torch.nn`` does, with the axes."""
        return f"{super().extra_repr()}, axes={self.axes}"


class LayerNorm(nn.LayerNorm):
    """Layer normalisation of the last axis on ``(B, …, D)`` or ``(n, B, …, D)``."""

    def __init__(self, width: int) -> None:
        super().__init__(width)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each sample's features."""
        normal = functional.layer_norm(input, input.shape[-1:], eps=self.eps)
        if self.weight.dim() == 1:
            return torch.addcmul(self.bias, normal, self.weight)
        between = [1] * (input.dim() - 2)
        bias, weight = (rows.unflatten(0, (-1, *between)) for rows in (self.bias, self.weight))
        return torch.addcmul(bias, normal, weight)


class ReLU(nn.ReLU):
    """Rectifies in place: only for what nobody else reads, as the output of a layer before it.

    Where that is a view and gradients are wanted it does not: autograd would copy the gradient of
    the whole three times.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Set negative entries to zero."""
        if input._is_view() and input.requires_grad:
            return input.relu()
        return input.relu_()


class Dropout(nn.Module):
    """Dropout whose mask belongs to the agent (:mod:`parse_dfl.networks.counter_rng`)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Zero entries with probability ``p`` (in steps of 1/256) while training."""
        rng = current_rng()
        if not self.training or self.p == 0 or rng is None:
            return input
        return input * rng.dropout(self.p, input.shape, input.dtype)

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"


class ChannelsFirst(nn.Module):
    """Move the channels, last in a sample of ``axes`` + 1 axes, before the space.

    Samples without a channel axis get one of length 1.
    """

    def __init__(self, axes: int, *, has_channels: bool) -> None:
        super().__init__()
        self.axes = axes
        self.has_channels = has_channels

    def forward(self, input: Tensor) -> Tensor:
        """Turn ``(…, *space, C)`` into ``(…, C, *space)``."""
        if self.has_channels:
            return input.movedim(-1, -1 - self.axes)
        return input.unsqueeze(-1 - self.axes)

    def extra_repr(self) -> str:
        """Show the number of axes."""
        return f"axes={self.axes}, has_channels={self.has_channels}"


class GlobalPool(nn.Module):
    """Mean and maximum over ``axes`` axes of space: ``(…, C, *space)`` to ``(…, 2 C)``."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, input: Tensor) -> Tensor:
        """Pool all positions."""
        flat = input.flatten(-self.axes)
        if torch.is_grad_enabled() and flat.requires_grad:
            pooled: Tensor = _MeanAndMaximum.apply(flat)  # type: ignore[no-untyped-call]
            return pooled
        return torch.cat([flat.mean(-1), flat.amax(-1)], -1)

    def extra_repr(self) -> str:
        """Show the number of axes."""
        return f"axes={self.axes}"


class _MeanAndMaximum(torch.autograd.Function):
    """Of the last axis, one after the other; their gradients are written in one place.

    Of equal largest entries the first has the gradient, as with ``max``.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        largest, where = input.max(-1)
        ctx.save_for_backward(input, where)
        return torch.cat([input.mean(-1), largest], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        input, where = ctx.saved_tensors
        of_mean, of_largest = gradients[0].unsqueeze(-1).chunk(2, -2)
        gradient = torch.empty_like(input).copy_(of_mean / input.shape[-1])
        return gradient.scatter_add_(-1, where.unsqueeze(-1), of_largest)


class FlattenSample(nn.Module):
    """Flatten the last ``axes`` axes into one."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, input: Tensor) -> Tensor:
        """Turn ``(…, a, b)`` into ``(…, a · b)``."""
        return input.flatten(-self.axes) if self.axes > 1 else input

    def extra_repr(self) -> str:
        """Show the number of axes."""
        return f"axes={self.axes}"
