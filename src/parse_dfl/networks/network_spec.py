"""From settings and an agent's identity to the pieces that its network is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from parse_dfl.agents import AgentSpec, key, modality_key, modality_set
from parse_dfl.config import NetworkConfig
from parse_dfl.errors import ConfigError
from parse_dfl.networks.encoders import EncoderBuilder, SampleShape, encoder_builder
from parse_dfl.networks.vmapped import lift


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Everything a network is built from but the agent itself.

    ``own_encoders`` are the user's builders by name, for ``config.encoders`` or an agent's
    ``encoders`` to choose.
    """

    samples: Mapping[str, SampleShape]
    classes: int
    config: NetworkConfig = field(default_factory=NetworkConfig)
    own_encoders: Mapping[str, EncoderBuilder] = field(default_factory=dict)

    def trunk(self, agent: AgentSpec, modality: str) -> nn.Module:
        """A fresh trunk for an agent's modality, ``(B, *shape)`` to ``(B, hidden)``, which takes
        a stack's rows too."""
        sample = self.samples[modality]
        build = encoder_builder(self._encoder_name(agent, modality), sample, self.own_encoders)
        trunk = build(sample, self.config.hidden, self.config.dropout)
        if build in self.own_encoders.values():
            _check_width(trunk, sample, self.config.hidden)
        return lift(trunk, sample_axes=len(sample.shape))

    def _encoder_name(self, agent: AgentSpec, modality: str) -> str | None:
        chosen = {_place_key(place): name for place, name in self.config.encoders.items()}
        own = agent.encoder(modality)
        return own or chosen.get(f"{agent.group}:{modality}") or chosen.get(modality)


def _place_key(place: str) -> str:
    """``GROUP:MODALITY`` or ``MODALITY`` by the keys of its names."""
    group, colon, modality = place.rpartition(":")
    owners = key(modality_set(group)) if group else ""
    return f"{owners}{colon}{modality_key(modality)}"


def _check_width(trunk: nn.Module, sample: SampleShape, hidden: int) -> None:
    """Refuse a user's trunk that does not give ``hidden`` features."""
    try:
        with torch.no_grad():
            shape = tuple(trunk(torch.zeros(2, *sample.shape)).shape)
    except RuntimeError as reason:
        raise ConfigError(
            f"the encoder of {sample.modality!r} cannot read samples of shape {sample.shape}: "
            f"{str(reason).splitlines()[0]}"
        ) from reason
    if shape != (2, hidden):
        raise ConfigError(
            f"the encoder of {sample.modality!r} turns 2 samples into {shape}; it must give "
            f"(2, {hidden}): --hidden features each"
        )


def slice_widths(latent: int, split: tuple[float, float, float] | str) -> tuple[int, int, int]:
    """Widths of the redundant, unique and synergistic slices of a latent.

    The ratios are rounded so that the widths add up to ``latent``; a ratio of zero gives width
    zero, any other at least one.

    Raises:
        ConfigError: a ratio is negative, all are zero, the latent is narrower than the slices, or
            the split is still to be proposed.
    """
    if isinstance(split, str):
        raise ConfigError(
            f"split {split} is proposed from the data of a whole federation, before networks are "
            "built; give ratios here, such as 1,1,1"
        )
    total = sum(split)
    if len(split) != 3 or min(split) < 0 or total <= 0:
        raise ConfigError(
            f"split {','.join(f'{part:g}' for part in split)} must be three ratios, none negative, "
            "not all zero, such as 1,1,1 or 2,1,0"
        )
    if latent < sum(part > 0 for part in split):
        raise ConfigError(f"latent {latent} is narrower than its slices; use at least 3")
    widths = [max(1, round(latent * part / total)) if part else 0 for part in split]
    widest = widths.index(max(widths))
    widths[widest] += latent - sum(widths)
    return widths[0], widths[1], widths[2]
