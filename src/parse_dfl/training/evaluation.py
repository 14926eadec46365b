"""How good every agent is on the shared test samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from parse_dfl.networks.network import Outputs
from parse_dfl.training.cohort import Cohort
from parse_dfl.training.shards import TensorData

CHUNK_SAMPLES = 512
CHUNK_ELEMENTS = 1 << 18
"""Samples, and input entries (agents × samples × sample size), of one evaluated chunk: few enough
that activations stay in the cache; agents are parted before samples, which fill the products."""


@dataclass(frozen=True)
class Scores:
    """What n agents reach on the same samples; every tensor shape=(n,), on the CPU."""

    accuracy: Tensor
    macro_f1: Tensor
    local_accuracy: Tensor
    loss: Tensor


def evaluate(
    cohort: Cohort, data: TensorData, samples: Tensor, predict: Callable[[Outputs], Tensor]
) -> Scores:
    """Score a cohort's agents on the samples numbered ``samples`` (int64, shape=(T,)).

    ``local_accuracy`` weights the samples so that their labels are as frequent as among the
    agent's own training samples; classes that the test part lacks are left out.
    """
    confusion, loss = _confusion(cohort, data, samples, predict)
    hits = confusion.diagonal(dim1=1, dim2=2)  # (n, C)
    support, predicted = confusion.sum(2), confusion.sum(1)
    recall = hits / support.clamp_min(1)
    present = (support > 0).to(recall.dtype)
    f1 = 2 * hits / (support + predicted).clamp_min(1)
    frequency = cohort.data.label_counts.to(recall) * present
    own = (frequency * recall).sum(1) / frequency.sum(1).clamp_min(1)
    return Scores(
        accuracy=(hits.sum(1) / support.sum(1)).cpu(),
        macro_f1=((f1 * present).sum(1) / present.sum(1)).cpu(),
        local_accuracy=own.cpu(),
        loss=loss.cpu(),
    )


def _confusion(
    cohort: Cohort, data: TensorData, samples: Tensor, predict: Callable[[Outputs], Tensor]
) -> tuple[Tensor, Tensor]:
    """Counts by (row, label, prediction), shape=(n, C, C), and the mean loss, shape=(n,)."""
    rows, classes = len(cohort.agents), data.classes
    counts = torch.zeros(rows * classes * classes, dtype=torch.float64, device=data.device)
    loss = torch.zeros(rows, dtype=torch.float64, device=data.device)
    offset = torch.arange(rows, device=data.device).unsqueeze(1) * classes * classes
    for block, chunk, outputs in forward_chunks(cohort, data, samples):
        logits = predict(outputs)
        label = data.label[chunk].expand(len(logits), -1)
        cells = offset[block] + label * classes + logits.argmax(-1)
        counts += torch.bincount(cells.flatten(), minlength=len(counts))
        losses = functional.cross_entropy(logits.flatten(0, 1), label.flatten(), reduction="none")
        loss[block] += losses.view_as(label).sum(1)
    return counts.view(rows, classes, classes), loss / len(samples)


@torch.no_grad()
def forward_chunks(
    cohort: Cohort, data: TensorData, samples: Tensor
) -> Iterator[tuple[slice, Tensor, Outputs]]:
    """The cohort's outputs on ``samples``, in chunks: (rows, sample numbers, their outputs)."""
    cohort.network.eval()
    names = list(cohort.data.inputs)
    size = sum(data.modalities[name][0].numel() for name in names)
    for chunk in samples.split(CHUNK_SAMPLES):
        values = {name: data.modalities[name][chunk].unsqueeze(0) for name in names}
        rows = max(1, CHUNK_ELEMENTS // (size * len(chunk)))
        for start in range(0, len(cohort.agents), rows):
            block = slice(start, min(start + rows, len(cohort.agents)))
            inputs = {name: cohort.data.standardise(name, values[name], block) for name in names}
            yield block, chunk, cohort.outputs(inputs, block)
