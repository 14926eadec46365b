"""Trunks that never learn: random ones, and ones that were trained without labels beforehand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from parse_dfl.agents import Kind
from parse_dfl.config import RunConfig
from parse_dfl.data.splits import split
from parse_dfl.data.standardise import fit
from parse_dfl.networks.encoders import DEFAULT_ENCODER, ENCODERS, SampleShape
from parse_dfl.runs.shared_setup import load_data

EPOCHS = 200
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
NOISE = 0.5
"""Standard deviations of the Gaussian noise on standardised samples that a trunk sees through."""


def default_trunk(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """Return what the modality's kind has where nothing else is asked for."""
    return ENCODERS[DEFAULT_ENCODER[sample.kind]](sample, hidden, dropout)


def frozen(sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
    """Return the default trunk with random weights that never learn."""
    return default_trunk(sample, hidden, dropout).requires_grad_(False)


class Pretrained:
    """The default trunk as the encoder of a denoising autoencoder, frozen.

    It is trained once per modality on the inputs of the whole training part, without labels: what
    somebody could publish who has many recordings and nobody to say what they show (Vincent et
    al., 2010, Stacked denoising autoencoders, JMLR 11).
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._trained: dict[tuple[str, int], dict[str, Tensor]] = {}

    def __call__(self, sample: SampleShape, hidden: int, dropout: float) -> nn.Module:
        """Return the trunk of a modality; every call gives the same weights."""
        key = sample.modality, hidden
        if key not in self._trained:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                torch.manual_seed(0)
                trunk = default_trunk(sample, hidden, 0.0)
                rebuild(trunk, self._inputs(sample.modality), hidden)
            self._trained[key] = trunk.state_dict()
        made = default_trunk(sample, hidden, dropout)
        made.load_state_dict(self._trained[key])
        return made.requires_grad_(False)

    def _inputs(self, modality: str) -> Tensor:
        """Return the modality's training samples, every number standardised over them."""
        data = load_data(self._config)
        taken = split(data, self._config.data.test).train
        values = data.modalities[modality][taken]
        places = values.reshape(len(values), -1)
        return torch.from_numpy(fit(places, Kind.VECTOR).apply(places).reshape(values.shape))


def rebuild(trunk: nn.Module, inputs: Tensor, hidden: int) -> list[float]:
    """Train a trunk so that a linear decoder rebuilds the inputs (N, *shape) from its features of
    noisy ones; the mean squared error of every epoch."""
    decoder = nn.Linear(hidden, inputs[0].numel())
    parameters = [*trunk.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    errors = []
    for _ in range(EPOCHS):
        total = 0.0
        for batch in inputs[torch.randperm(len(inputs))].split(BATCH_SIZE):
            noisy = batch + NOISE * torch.randn_like(batch)
            loss = nn.functional.mse_loss(decoder(trunk(noisy)), batch.flatten(1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        errors.append(total / len(inputs))
    return errors
