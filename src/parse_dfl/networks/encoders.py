"""Encode a modality's samples as ``hidden`` features, one builder per kind.

The default follows the kind of the modality; a name or a builder of the user's own replaces
it, per modality and per agent group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from torch import nn

from parse_dfl.agents import Kind
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.layouts import Layout
from parse_dfl.networks.layers import (
    ChannelsFirst,
    Conv1d,
    Conv2d,
    Conv3d,
    Dropout,
    FlattenSample,
    GlobalPool,
    GroupNorm,
    Linear,
    ReLU,
)


@dataclass(frozen=True)
class SampleShape:
    """The modality that an encoder reads: name, kind and the shape of one sample.

    ``layout`` says how samples came before they were laid out in ``shape``; None: as they are.
    """

    modality: str
    kind: Kind
    shape: tuple[int, ...]
    layout: Layout | None = None

    @property
    def has_channels(self) -> bool:
        """Whether the last axis holds channels (else the sample has a single one)."""
        axes = {Kind.VECTOR: 1, Kind.SERIES: 2, Kind.IMAGE: 3, Kind.VIDEO: 4}[self.kind]
        return len(self.shape) == axes

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[-1] if self.has_channels else 1


EncoderBuilder = Callable[[SampleShape, int, float], nn.Module]
"""Builds an encoder from (sample shape, ``hidden``, dropout): inputs ``(B, *shape)``, outputs
``(B, hidden)``."""


def mlp(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """Build one hidden layer on the flattened sample; fits every kind."""
    return nn.Sequential(
        FlattenSample(len(sample.shape)),
        Linear(prod(sample.shape), hidden),
        ReLU(),
        Dropout(dropout),
    )


def mlp2(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """Build two hidden layers on the flattened sample; fits every kind."""
    return nn.Sequential(
        mlp(sample, hidden, dropout), Linear(hidden, hidden), ReLU(), Dropout(dropout)
    )


def conv1d(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """Build two strided convolutions over time, pooled; for series."""
    return nn.Sequential(
        ChannelsFirst(1, has_channels=sample.has_channels),
        Conv1d(sample.channels, 16, 5, stride=2, padding=2),
        ReLU(),
        Conv1d(16, 32, 5, stride=2, padding=2),
        GroupNorm(1, 32, axes=1),
        ReLU(),
        GlobalPool(1),
        Linear(64, hidden),
        ReLU(),
        Dropout(dropout),
    )


def conv2d(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """Build two strided convolutions, flattened; for images."""
    height, width = (_halved_twice(size) for size in sample.shape[:2])
    return nn.Sequential(
        ChannelsFirst(2, has_channels=sample.has_channels),
        Conv2d(sample.channels, 16, 3, stride=2, padding=1),
        ReLU(),
        Conv2d(16, 32, 3, stride=2, padding=1),
        GroupNorm(1, 32, axes=2),
        ReLU(),
        FlattenSample(3),
        Linear(32 * height * width, hidden),
        ReLU(),
        Dropout(dropout),
    )


def conv3d(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """Build two strided convolutions over frames and space, flattened; for video."""
    sizes = [_halved_twice(size) for size in sample.shape[:3]]
    return nn.Sequential(
        ChannelsFirst(3, has_channels=sample.has_channels),
        Conv3d(sample.channels, 8, 3, stride=2, padding=1),
        ReLU(),
        Conv3d(8, 16, 3, stride=2, padding=1),
        GroupNorm(1, 16, axes=3),
        ReLU(),
        FlattenSample(4),
        Linear(16 * prod(sizes), hidden),
        ReLU(),
        Dropout(dropout),
    )


def _halved_twice(size: int) -> int:
    """Return the length of an axis after two convolutions of kernel 3, stride 2 and padding 1."""
    return (size + 3) // 4


ENCODERS: Mapping[str, EncoderBuilder] = {
    "mlp": mlp,
    "mlp2": mlp2,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "conv3d": conv3d,
}
DEFAULT_ENCODER: Mapping[Kind, str] = {
    Kind.VECTOR: "mlp",
    Kind.SERIES: "conv1d",
    Kind.IMAGE: "conv2d",
    Kind.VIDEO: "conv3d",
}
_FITS = {"conv1d": Kind.SERIES, "conv2d": Kind.IMAGE, "conv3d": Kind.VIDEO}


def encoder_builder(
    name: str | None, sample: SampleShape, own_encoders: Mapping[str, EncoderBuilder]
) -> EncoderBuilder:
    """Return the builder called ``name`` (None: the kind's default); the user's own come first.

    Raises:
        ConfigError: no encoder has this name, or it does not fit the modality's kind.
    """
    name = name or DEFAULT_ENCODER[sample.kind]
    builders = {**ENCODERS, **own_encoders}
    if name not in builders:
        raise unknown("encoder", name, builders)
    if name not in own_encoders and _FITS.get(name, sample.kind) is not sample.kind:
        raise ConfigError(
            f"encoder {name!r} reads {_FITS[name]} samples, but {sample.modality!r} is a "
            f"{sample.kind} {sample.shape}; use mlp, mlp2 or {DEFAULT_ENCODER[sample.kind]}"
        )
    return builders[name]
