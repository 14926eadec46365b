"""What every network has in common: components that know their branch, and typed outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from parse_dfl.branches import Branch, signature, stable_hash
from parse_dfl.networks.vmapped import lift


@dataclass(frozen=True)
class Outputs:
    """What a network says about a batch; every tensor starts with the row axis n if it has one.

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
        """The outputs with every tensor changed."""

        def each(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: change(value) for name, value in values.items()}

        return Outputs(
            logits=change(self.logits),
            modality_logits=each(self.modality_logits),
            slices=each(self.slices),
            slice_logits=each(self.slice_logits),
            sides=each(self.sides),
            means=each(self.means),
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
        """Add a component; its signature is its architecture and the ``context`` it works in.

        Parameters that do not require gradients are frozen: they belong to no branch's row, and
        are part of the signature, since what reads other features cannot be averaged.
        """
        part = _seeded(build, "frozen", modality, component)
        shapes = [tuple(value.shape) for value in part.parameters()]
        told = signature(repr(part), shapes, context, *_frozen_hash(part))
        branch = Branch(modality, component, told)
        self.parts[branch.label] = part
        self.branches[branch.label] = branch
        self._builders[branch.label] = build

    def part(self, modality: str, component: str) -> nn.Module:
        """The component that was added under these names."""
        return self.parts[f"{modality}/{component}"]

    def has(self, modality: str, component: str) -> bool:
        """Whether such a component exists."""
        return f"{modality}/{component}" in self.parts

    def fresh(self, label: str, seed: int) -> nn.Module:
        """The component anew, its weights drawn from (seed, branch) alone."""
        return _seeded(self._builders[label], seed, "weights", self.branches[label])

    def forward(self, inputs: Mapping[str, Tensor]) -> Outputs:
        """Predict from the modalities that are given."""
        raise NotImplementedError


def _frozen_hash(part: nn.Module) -> list[str]:
    """A hash of the frozen parameters' values; empty where all are trained."""
    frozen = [value for value in part.parameters() if not value.requires_grad]
    if not frozen:
        return []
    told = hashlib.blake2b(digest_size=8)
    for value in frozen:
        told.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return [told.hexdigest()]


def _seeded(build: ComponentBuilder, *parts: object) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash(*parts))
        return lift(build())
