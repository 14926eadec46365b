"""Score agents on shared samples, notice divergence, and keep the best parameters by validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from parse_dfl.engine.agent_data import TensorData
from parse_dfl.engine.agent_stack import AgentStack, even_part
from parse_dfl.engine.layout import Layout
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
    """Scores of n agents on the same samples; every tensor shape=(n,), on the CPU.

    ``diverged`` says whose scores mean nothing (:func:`diverged`).
    """

    accuracy: Tensor
    macro_f1: Tensor
    local_accuracy: Tensor
    loss: Tensor
    diverged: Tensor  # dtype=bool

    def first(self) -> dict[str, float]:
        """Return those of the first agent: a peer has no other."""
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
    local_accuracy = (frequency * recall).sum(1) / frequency.sum(1).clamp_min(1)
    return Scores(
        accuracy=(hits.sum(1) / support.sum(1)).cpu(),
        macro_f1=((f1 * present).sum(1) / present.sum(1)).cpu(),
        local_accuracy=local_accuracy.cpu(),
        loss=loss.cpu(),
        diverged=diverged(stack, loss),
    )


def _confusion(
    stack: AgentStack, data: TensorData, samples: Tensor, predict: Callable[[Outputs], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return counts by (row, label, prediction), shape=(n, C, C), and the mean loss, shape=(n,)."""
    rows, classes = len(stack.agents), data.classes
    counts, losses = [], []
    label = data.label[samples]
    step = max(1, stack.memory_plan.affordable(BLOCK_LOGITS, COPIES) // (len(samples) * classes))
    for start in range(0, rows, step):
        block = slice(start, min(start + step, rows))
        logits = _logits(stack, data, samples, block, predict)
        expected = label.expand(len(logits), -1)
        loss = functional.cross_entropy(logits.flatten(0, 1), expected.flatten(), reduction="none")
        losses.append(loss.view_as(expected).mean(1, dtype=torch.float64))
        row = torch.arange(len(logits), device=data.device).unsqueeze(1)
        cells = (row * classes + expected) * classes + logits.argmax(-1)
        counted = torch.bincount(cells.flatten(), minlength=len(logits) * classes**2)
        counts.append(counted.view(-1, classes, classes).double())
    return torch.cat(counts), torch.cat(losses)


def _logits(
    stack: AgentStack,
    data: TensorData,
    samples: Tensor,
    block: slice,
    predict: Callable[[Outputs], Tensor],
) -> Tensor:
    """Return the predictions of the rows of ``block``, shape=(rows, T, C)."""
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
    """Yield the outputs of the rows of ``block`` (None: of all) on ``samples``, chunk by chunk:
    the rows, the part of ``samples``, and what the rows' networks make of it; call it
    without gradients.
    """
    block = block or stack.all_rows
    widest = stack.memory_plan.widest
    entries = stack.memory_plan.affordable(CHUNK_ENTRIES, COPIES)
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


LARGEST_LOSS = 1e4
"""A mean cross-entropy above this, in nats, is no prediction that is merely wrong: its logits have
grown by powers of ten, as they do shortly before they overflow."""


def diverged(stack: AgentStack, loss: Tensor) -> Tensor:
    """Tell whether each agent has diverged, shape=(n,), dtype=bool, on the CPU.

    It has where a parameter or an optimizer's moment is not finite, or the mean ``loss``,
    shape=(n,), is not finite (as it is where a logit is not) or above :data:`LARGEST_LOSS`.
    """
    has_diverged = ~(loss <= LARGEST_LOSS)
    for label, rows in stack.rows.items():
        block = stack.blocks[label]
        for value in (rows.params, *rows.moments.values()):
            has_diverged |= ~_is_finite(value[block]).to(has_diverged.device)
    return has_diverged.cpu()


def parameters_are_finite(stack: AgentStack) -> bool:
    """Tell whether all parameters of all agents are finite."""
    return all(bool(_is_finite(rows.params).all()) for rows in stack.rows.values())


def _is_finite(matrix: Tensor) -> Tensor:
    """Tell whether all entries of each row are finite, by the largest, which needs no copy."""
    if not matrix.shape[1]:
        return torch.ones(len(matrix), dtype=torch.bool, device=matrix.device)
    return torch.linalg.vector_norm(matrix, float("inf"), dim=1).isfinite()


class Evaluated(Protocol):
    """A simulator or trainer: rows, and their scores."""

    @property
    def layout(self) -> Layout:
        """The stacks and branch rows."""
        ...

    def evaluate(self, samples: Tensor) -> list[tuple[AgentStack, Scores]]:
        """Return the scores of every stack on the samples numbered ``samples``."""
        ...


class BestRows:
    """Early stopping: the parameters of every seed that did best so far on validation samples."""

    def __init__(self, trained: Evaluated, validation: Tensor, seeds: Sequence[int]) -> None:
        self._trained = trained
        self._validation = validation
        self._seeds = list(seeds)
        self.accuracy = torch.full((len(seeds),), -1.0, dtype=torch.float64)
        self._params = {b: rows.params.clone() for b, rows in trained.layout.branches.items()}

    def update(self) -> None:
        """Evaluate on validation, and keep the rows of the seeds that improved."""
        scores = self._trained.evaluate(self._validation)
        for index, seed in enumerate(self._seeds):
            accuracies = [
                float(value)
                for stack, score in scores
                for agent, value in zip(stack.agents, score.accuracy, strict=True)
                if agent.seed == seed
            ]
            accuracy = sum(accuracies) / len(accuracies)
            if accuracy > self.accuracy[index]:
                self.accuracy[index] = accuracy
                self._keep(seed)

    def _keep(self, seed: int) -> None:
        for branch, rows in self._trained.layout.branches.items():
            is_own = torch.tensor([agent.seed == seed for agent in rows.agents])
            self._params[branch][is_own] = rows.params[is_own]

    def put_back(self) -> None:
        """Let the simulator's parameters be the best ones."""
        for branch, rows in self._trained.layout.branches.items():
            rows.params.copy_(self._params[branch])

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a checkpoint must hold."""
        kept = {f"best|{branch}": value for branch, value in self._params.items()}
        return kept | {"best-accuracy": self.accuracy}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`tensors` returned."""
        for branch, value in self._params.items():
            value.copy_(tensors[f"best|{branch}"])
        self.accuracy.copy_(tensors["best-accuracy"])
