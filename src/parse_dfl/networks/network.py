"""Define the base of every network: its specification, the widths of slices, components by branch,
and typed outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from parse_dfl.agents import AgentSpec, key, modality_key, modality_set
from parse_dfl.branches import Branch, architecture_hash, stable_hash
from parse_dfl.config import NetworkConfig
from parse_dfl.errors import ConfigError
from parse_dfl.networks.encoders import EncoderBuilder, SampleShape, encoder_builder
from parse_dfl.networks.vmapped import batched


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

    def encoder(self, agent: AgentSpec, modality: str) -> nn.Module:
        """Build a fresh encoder for an agent's modality, ``(B, *shape)`` to ``(B, hidden)``, which
        takes a stack's rows too.

        Raises:
            ConfigError: a builder of the user's own makes no module, or one of another width.
        """
        sample = self.samples[modality]
        build = encoder_builder(self._encoder_name(agent, modality), sample, self.own_encoders)
        encoder = build(sample, self.config.hidden, self.config.dropout)
        if not isinstance(encoder, nn.Module):
            raise ConfigError(
                f"the encoder of {modality!r} must be a function that returns a torch module, and "
                f"it returned {encoder!r}"
            )
        if build in self.own_encoders.values():
            _check_width(encoder, sample, self.config.hidden)
        return batched(encoder, sample_axes=len(sample.shape))

    def _encoder_name(self, agent: AgentSpec, modality: str) -> str | None:
        names = {_owner_key(owner): name for owner, name in self.config.encoders.items()}
        by_agent = agent.encoder(modality)
        return by_agent or names.get(f"{agent.group}:{modality}") or names.get(modality)


def _owner_key(owner: str) -> str:
    """Return ``GROUP:MODALITY`` or ``MODALITY`` by the keys of its names."""
    group, colon, modality = owner.rpartition(":")
    owners = key(modality_set(group)) if group else ""
    return f"{owners}{colon}{modality_key(modality)}"


def _check_width(encoder: nn.Module, sample: SampleShape, hidden: int) -> None:
    """Refuse a user's encoder that does not give ``hidden`` features."""
    try:
        with torch.no_grad():
            shape = tuple(encoder(torch.zeros(2, *sample.shape)).shape)
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
    """Return the widths of the redundant, unique and synergistic slices of a latent.

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


@dataclass(frozen=True)
class Outputs:
    """The outputs of a network for a batch; every tensor starts with the row axis n if it has one.

    ``logits`` is the joint prediction; ``modality_logits`` what each modality says alone;
    ``slices`` and ``slice_logits`` are named ``redundant.acc``, ``unique.acc``,
    ``synergistic.acc+gyro``; ``sides`` are what a pair's fusion operator reads of each modality,
    named ``synergistic.acc+gyro.acc``.

    ``slices`` and ``sides`` hold what the prediction reads: with noise where the channel is noisy.
    ``means`` then holds the noiseless reading under the same name, and ``mean_logits`` the
    prediction from the noiseless readings; empty and None where no channel is noisy.
    """

    logits: Tensor  # shape=(..., B, C)
    modality_logits: Mapping[str, Tensor] = field(default_factory=dict)  # each (..., B, C)
    slices: Mapping[str, Tensor] = field(default_factory=dict)  # each (..., B, D_slice)
    slice_logits: Mapping[str, Tensor] = field(default_factory=dict)  # each (..., B, C)
    sides: Mapping[str, Tensor] = field(default_factory=dict)  # each (..., B, D_slice)
    means: Mapping[str, Tensor] = field(default_factory=dict)  # each as the slice or side
    mean_logits: Tensor | None = None  # shape=(..., B, C)

    def map(self, change: Callable[[Tensor], Tensor]) -> Outputs:
        """Return the outputs with every tensor changed."""

        def all_of(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: change(value) for name, value in values.items()}

        return Outputs(
            logits=change(self.logits),
            modality_logits=all_of(self.modality_logits),
            slices=all_of(self.slices),
            slice_logits=all_of(self.slice_logits),
            sides=all_of(self.sides),
            means=all_of(self.means),
            mean_logits=None if self.mean_logits is None else change(self.mean_logits),
        )


ComponentBuilder = Callable[[], nn.Module]


class Network(nn.Module):
    """A network made of components, each of them one branch.

    A subclass adds its components in its constructor with :meth:`add` and reads them in
    ``forward``; inputs are a mapping from modality to ``(B, *shape)`` for one agent or
    ``(n, B, *shape)`` for a stack.  An input that is missing is left out of the prediction.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict()
        self.branches: dict[str, Branch] = {}
        self._builders: dict[str, ComponentBuilder] = {}

    def add(
        self, modality: str, component: str, build: ComponentBuilder, context: str = ""
    ) -> None:
        """Add a component; its hash is that of its architecture and the ``context`` it works in.

        The architecture is what ``repr`` shows, names of layers included.  Parameters that do not
        require gradients are frozen: they belong to no branch's row, and are part of the hash,
        since what reads other features cannot be averaged.
        """
        part = _seeded(build, "frozen", modality, component)
        shapes = [tuple(value.shape) for value in part.parameters()]
        arch = architecture_hash(repr(part), shapes, context, *_frozen_hash(part))
        branch = Branch(modality, component, arch)
        self.parts[branch.label] = part
        self.branches[branch.label] = branch
        self._builders[branch.label] = build

    def part(self, modality: str, component: str) -> nn.Module:
        """Return the component that was added under these names."""
        return self.parts[f"{modality}/{component}"]

    def has(self, modality: str, component: str) -> bool:
        """Return whether such a component exists."""
        return f"{modality}/{component}" in self.parts

    def fresh(self, label: str, seed: int) -> nn.Module:
        """Build the component anew, its weights drawn from (seed, branch) alone."""
        return _seeded(self._builders[label], seed, "weights", self.branches[label])

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy needs: closures cannot be pickled, and only training draws weights."""
        return {**self.__dict__, "_builders": {}}

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """Predict from the modalities that are given."""
        raise NotImplementedError


def _frozen_hash(part: nn.Module) -> list[str]:
    """Return a hash of the frozen parameters' values; empty where all are trained."""
    frozen = [value for value in part.parameters() if not value.requires_grad]
    if not frozen:
        return []
    digest = hashlib.blake2b(digest_size=8)
    for value in frozen:
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return [digest.hexdigest()]


def _seeded(build: ComponentBuilder, *parts: object) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash(*parts))
        return batched(build())
