"""How good every agent is on the shared test samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from parse_dfl.engine.agent_data import TensorData
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.divergence import diverged
from parse_dfl.engine.memory_plan import even_part
from parse_dfl.engine.sampler import take
from parse_dfl.networks.network import Outputs

CHUNK_SAMPLES = 512
CHUNK_ENTRIES = 1 << 20
"""Samples of one evaluated chunk at most, and entries of its widest activation: few enough that
activations stay in the cache and that the allocator reuses their memory."""
ROWS_ENTRIES = 1 << 17
"""Entries of the widest activation up to which agents share a chunk: it fits a core's own cache."""
BLOCK_LOGITS = 1 << 20
"""Logits (agents × samples × classes) that are kept to be scored in one go."""
COPIES = 8
"""How often either is held at once, roughly."""


@dataclass(frozen=True)
class Scores:
    """What n agents reach on the same samples; every tensor shape=(n,), on the CPU.

    ``diverged`` says whose scores mean nothing (:mod:`parse_dfl.engine.divergence`).
    """

    accuracy: Tensor
    macro_f1: Tensor
    local_accuracy: Tensor
    loss: Tensor
    diverged: Tensor  # dtype=bool

    def first(self) -> dict[str, float]:
        """Those of the first agent: a peer has no other."""
        return {name: float(value[0]) for name, value in vars(self).items()}


@torch.inference_mode()
def evaluate(
    stack: AgentStack, data: TensorData, samples: Tensor, predict: Callable[[Outputs], Tensor]
) -> Scores:
    """Score a stack's agents on the samples numbered ``samples`` (int64, shape=(T,)).

    ``local_accuracy`` weights the samples so that their labels are as frequent as among the
    agent's own training samples; classes that the test part lacks are left out.
    """
    confusion, loss = _confusion(stack, data, samples, predict)
    hits = confusion.diagonal(dim1=1, dim2=2)  # (n, C)
    support, predicted = confusion.sum(2), confusion.sum(1)
    recall = hits / support.clamp_min(1)
    present = (support > 0).to(recall.dtype)
    f1 = 2 * hits / (support + predicted).clamp_min(1)
    frequency = stack.data.label_counts.to(recall) * present
    own = (frequency * recall).sum(1) / frequency.sum(1).clamp_min(1)
    return Scores(
        accuracy=(hits.sum(1) / support.sum(1)).cpu(),
        macro_f1=((f1 * present).sum(1) / present.sum(1)).cpu(),
        local_accuracy=own.cpu(),
        loss=loss.cpu(),
        diverged=diverged(stack, loss),
    )


def _confusion(
    stack: AgentStack, data: TensorData, samples: Tensor, predict: Callable[[Outputs], Tensor]
) -> tuple[Tensor, Tensor]:
    """Counts by (row, label, prediction), shape=(n, C, C), and the mean loss, shape=(n,)."""
    rows, classes = len(stack.agents), data.classes
    counts, losses = [], []
    label = data.label[samples]
    step = max(1, stack.chunks.affordable(BLOCK_LOGITS, COPIES) // (len(samples) * classes))
    for start in range(0, rows, step):
        block = slice(start, min(start + step, rows))
        logits = _logits(stack, data, samples, block, predict)
        expected = label.expand(len(logits), -1)
        each = functional.cross_entropy(logits.flatten(0, 1), expected.flatten(), reduction="none")
        losses.append(each.view_as(expected).mean(1, dtype=torch.float64))
        row = torch.arange(len(logits), device=data.device).unsqueeze(1)
        cells = (row * classes + expected) * classes + logits.argmax(-1)
        found = torch.bincount(cells.flatten(), minlength=len(logits) * classes**2)
        counts.append(found.view(-1, classes, classes).double())
    return torch.cat(counts), torch.cat(losses)


def _logits(
    stack: AgentStack,
    data: TensorData,
    samples: Tensor,
    block: slice,
    predict: Callable[[Outputs], Tensor],
) -> Tensor:
    """The predictions of the rows of ``block``, shape=(rows, T, C)."""
    logits = data.label.new_empty(
        (block.stop - block.start, len(samples), data.classes),
        dtype=torch.promote_types(data.dtype, torch.float32),
    )
    for rows, columns, outputs in forward_chunks(stack, data, samples, block):
        logits[rows.start - block.start : rows.stop - block.start, columns] = predict(outputs)
    return logits


def forward_chunks(
    stack: AgentStack, data: TensorData, samples: Tensor, block: slice | None = None
) -> Iterator[tuple[slice, slice, Outputs]]:
    """The outputs of the rows of ``block`` (None: of all) on ``samples``, chunk by chunk.

    Yields the rows, the part of ``samples``, and what the rows' networks make of it; call it
    without gradients.
    """
    block = block or stack.all_rows
    widest = stack.chunks.widest
    entries = stack.chunks.affordable(CHUNK_ENTRIES, COPIES)
    length = even_part(len(samples), min(CHUNK_SAMPLES, max(1, entries // widest)))
    height = even_part(block.stop - block.start, max(1, ROWS_ENTRIES // (widest * length)))
    for begin in range(0, len(samples), length):
        columns = slice(begin, min(begin + length, len(samples)))
        values = {
            name: take(data.modalities[name], samples[columns]).unsqueeze(0)
            for name in stack.data.inputs
        }
        for start in range(block.start, block.stop, height):
            rows = slice(start, min(start + height, block.stop))
            inputs = {name: stack.data.standardise(name, values[name], rows) for name in values}
            yield rows, columns, stack.outputs(inputs, rows)
