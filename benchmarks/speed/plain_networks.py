"""The package's networks as anyone would write them for one agent, of ``torch.nn`` layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.speed.jobs import CLASSES, Job
from benchmarks.speed.mlp import HIDDEN
from parse_dfl.agents import Kind
from parse_dfl.config import NetworkConfig
from parse_dfl.config.methods import ParseOptions
from parse_dfl.networks.network import slice_widths

CONFIG = NetworkConfig()
OPTIONS = ParseOptions()


class MeanAndMaximum(nn.Module):
    """``(B, C, T)`` to ``(B, 2 C)``."""

    def forward(self, input: Tensor) -> Tensor:
        """Pool over time."""
        return torch.cat([input.mean(-1), input.amax(-1)], -1)


def trunk(job: Job) -> nn.Sequential:
    """The default encoder of a kind; samples come channels first."""
    hidden, shape = CONFIG.hidden, job.shape
    match job.kind:
        case Kind.VECTOR:
            layers: list[nn.Module] = [nn.Linear(shape[0], hidden)]
        case Kind.SERIES:
            layers = [
                nn.Conv1d(shape[1], 16, 5, stride=2, padding=2),
                nn.ReLU(),
                nn.Conv1d(16, 32, 5, stride=2, padding=2),
                nn.GroupNorm(1, 32),
                nn.ReLU(),
                MeanAndMaximum(),
                nn.Linear(64, hidden),
            ]
        case Kind.IMAGE:
            layers = _image(shape, hidden)
        case Kind.VIDEO:
            layers = _video(shape, hidden)
    return nn.Sequential(*layers, nn.ReLU(), nn.Dropout(CONFIG.dropout))


def _image(shape: tuple[int, ...], hidden: int) -> list[nn.Module]:
    positions = _left(shape[:2])
    return [
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.GroupNorm(1, 32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * positions, hidden),
    ]


def _video(shape: tuple[int, ...], hidden: int) -> list[nn.Module]:
    positions = _left(shape[:3])
    return [
        nn.Conv3d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv3d(8, 16, 3, stride=2, padding=1),
        nn.GroupNorm(1, 16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * positions, hidden),
    ]


def _left(sizes: Iterable[int]) -> int:
    """Positions that two convolutions of stride 2 leave."""
    positions = 1
    for size in sizes:
        positions *= (size + 3) // 4
    return positions


def head(width: int) -> nn.Sequential:
    """A slice's head."""
    return nn.Sequential(nn.ReLU(), nn.Linear(width, CLASSES))


class PlainMonolithic(nn.Module):
    """Encoders, one fused embedding, one head: the network of the D-SGD methods."""

    def __init__(self, job: Job, modalities: tuple[str, ...]) -> None:
        super().__init__()
        latent = CONFIG.latent
        self.modalities = modalities
        self.encoders = nn.ModuleDict(
            {
                name: nn.Sequential(trunk(job), nn.Linear(CONFIG.hidden, latent))
                for name in modalities
            }
        )
        self.fusion = nn.Sequential(nn.Linear(latent * len(modalities), latent), nn.ReLU())
        self.head = nn.Linear(latent, CLASSES)

    def overlays(self) -> dict[str, list[nn.Module]]:
        """Hybrid sharing: the encoders by modality, all else by modality set."""
        own: dict[str, list[nn.Module]] = {"+".join(self.modalities): [self.fusion, self.head]}
        for name in self.modalities:
            own[f"encoder {name}"] = [self.encoders[name]]
        return own

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The logits."""
        joined = [self.encoders[name](inputs[name]) for name in self.modalities]
        return self.head(self.fusion(torch.cat(joined, -1)))

    def loss(self, inputs: Mapping[str, Tensor], label: Tensor, log_prior: Tensor) -> Tensor:
        """Cross-entropy under logit adjustment."""
        return functional.cross_entropy(self(inputs) + log_prior, label)


class PlainParse(nn.Module):
    """Feature fission into slices with a head each: the network of PARSE."""

    def __init__(self, job: Job, modalities: tuple[str, ...]) -> None:
        super().__init__()
        r, u, s = self.widths = slice_widths(CONFIG.latent, CONFIG.split)
        hidden = CONFIG.hidden
        self.modalities = modalities
        self.trunks = nn.ModuleDict({name: trunk(job) for name in modalities})
        self.project = nn.ModuleDict({name: nn.Linear(hidden, r + u) for name in modalities})
        self.unique = nn.ModuleDict({name: head(u) for name in modalities})
        self.redundant = head(r)
        if len(modalities) == 2:
            self.synergy = nn.ModuleDict({name: nn.Linear(hidden, s) for name in modalities})
            self.mix = nn.Linear(2 * s, s)
            self.synergistic = nn.Linear(s, CLASSES)

    def overlays(self) -> dict[str, list[nn.Module]]:
        """Partial alignment: every branch among its owners."""
        own: dict[str, list[nn.Module]] = {"any": [self.redundant]}
        for name in self.modalities:
            own[name] = [self.trunks[name], self.project[name], self.unique[name]]
        if len(self.modalities) == 2:
            own["pair"] = [*self.synergy.values(), self.mix, self.synergistic]
        return own

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The logits of the joint prediction."""
        return self._predict(inputs)[0]

    def _predict(
        self, inputs: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """The joint logits, and by modality the redundant slice and the unique logits."""
        features = {name: self.trunks[name](inputs[name]) for name in self.modalities}
        redundant, unique = {}, {}
        for name, values in features.items():
            redundant[name], u = self.project[name](values).split(self.widths[:2], -1)
            unique[name] = self.unique[name](u)
        if len(self.modalities) == 1:
            (r,), (logits,) = redundant.values(), unique.values()
            return self.redundant(r) + logits, redundant, unique
        a, b = self.modalities
        fused = self.mix(
            torch.cat([self.synergy[name](values) for name, values in features.items()], -1)
        ).relu()
        shared = (redundant[a] + redundant[b]) / 2
        logits = self.redundant(shared) + unique[a] + unique[b] + self.synergistic(fused)
        return logits, redundant, unique

    def loss(self, inputs: Mapping[str, Tensor], label: Tensor, log_prior: Tensor) -> Tensor:
        """Cross-entropy of the joint logits, and what multimodal agents add to it."""
        logits, redundant, unique = self._predict(inputs)
        loss = functional.cross_entropy(logits + log_prior, label)
        if len(self.modalities) == 1:
            return loss
        for name in self.modalities:
            alone = self.redundant(redundant[name]) + unique[name] + log_prior
            loss = loss + OPTIONS.modality_weight * functional.cross_entropy(alone, label)
        first, second = (functional.normalize(redundant[name], dim=-1) for name in self.modalities)
        similarity = first @ second.T / OPTIONS.temperature
        same = (label[:, None] == label[None]).to(similarity.dtype)
        share = same / same.sum(1, keepdim=True)
        both = (similarity.log_softmax(1) * share).sum() + (
            similarity.T.log_softmax(1) * share
        ).sum()
        return loss - OPTIONS.contrastive_weight * both / (2 * len(label))


class PlainMlp(nn.Module):
    """One hidden layer: the network of plain D-SGD."""

    def __init__(self, job: Job, modalities: tuple[str, ...]) -> None:
        super().__init__()
        (self.modality,) = modalities
        self.layers = nn.Sequential(
            nn.Linear(job.shape[0], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)
        )

    def overlays(self) -> dict[str, list[nn.Module]]:
        """All of it among all."""
        return {"all": [self.layers]}

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The logits."""
        return self.layers(inputs[self.modality])

    def loss(self, inputs: Mapping[str, Tensor], label: Tensor, log_prior: Tensor) -> Tensor:  # noqa: ARG002
        """Cross-entropy."""
        return functional.cross_entropy(self(inputs), label)


PLAIN = {"parse": PlainParse, "dsgd-hybrid": PlainMonolithic, "dsgd-mlp": PlainMlp}
