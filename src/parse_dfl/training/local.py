"""Local training: every agent's steps of one round."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from parse_dfl.methods.method import Stage
from parse_dfl.training.cohort import STEPS_AHEAD, Cohort
from parse_dfl.training.compiled import BlockSteps
from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.layout import Layout
from parse_dfl.training.optimizer import RowOptimizer
from parse_dfl.training.rates import rows_by_rate
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.workers import Task, Workers


def scheduled_lr(lr: float, schedule: str, round: int, first: int, last: int) -> float:
    """The learning rate of a round (from 1) in a stage of rounds ``first`` to ``last``.

    ``cosine`` falls from ``lr`` in the first round towards zero after the last.
    """
    if schedule == "constant":
        return lr
    progress = (round - first) / max(1, last - first + 1)
    return lr * 0.5 * (1 + math.cos(math.pi * progress))


CompiledPart = tuple[Cohort, slice, BlockSteps]
"""Rows of a cohort, and what takes steps with them."""


class LocalTrainer:
    """Runs the local steps of a round on all cohorts of a layout."""

    def __init__(
        self, config: TrainingConfig, *, steps: int, centralised: bool, workers: Workers
    ) -> None:
        self.optimizer = RowOptimizer(config)
        self.steps = steps
        self.centralised = centralised
        self._workers = workers

    def train(self, layout: Layout, stage: Stage, *, round: int, lr: float) -> None:
        """``steps`` minibatch steps for every agent.

        Agents do not meet before the exchange, so that a part of a cohort takes all its steps
        while its rows are in the cache; only centralised training, which ties the gradients of
        all rows, goes step by step.
        """
        if self.centralised:
            self._train_tied(layout, stage, round, lr)
            return
        together = largest_divisor(self.steps, STEPS_AHEAD)
        compiled: list[CompiledPart] = []
        for cohort in layout.cohorts:
            for block in cohort.chunks.parts():
                take = cohort.compiled_steps(stage, block, together)
                if take is not None:
                    compiled.append((cohort, block, take))
                    continue
                for minibatch in cohort.minibatches(block, round, self.steps):
                    labels = cohort.gradients(stage.objective, minibatch, block)
                    self._update(cohort, block, sorted(labels), stage, lr)
        compiled.sort(key=_work, reverse=True)  # what is begun last should be short
        self._workers.run(self._task(part, round, together, lr) for part in compiled)

    def _task(self, part: CompiledPart, round: int, together: int, lr: float) -> Task:
        """All steps of a part's round."""
        cohort, block, take = part
        rate = torch.tensor(lr, dtype=torch.float64, device=cohort.data.label.device)

        def task() -> None:
            for choice in cohort.choices(block, round, self.steps, together):
                take(choice, rate)

        return task

    def _train_tied(self, layout: Layout, stage: Stage, round: int, lr: float) -> None:
        batches = [
            cohort.minibatches(cohort.all_rows, round, self.steps) for cohort in layout.cohorts
        ]
        for together in zip(*batches, strict=True):
            touched = [
                cohort.gradients(stage.objective, minibatch, cohort.all_rows)
                for cohort, minibatch in zip(layout.cohorts, together, strict=True)
            ]
            tie_gradients(layout)
            for cohort, labels in zip(layout.cohorts, touched, strict=True):
                self._update(cohort, cohort.all_rows, sorted(labels), stage, lr)

    def _update(
        self, cohort: Cohort, block: slice, labels: Sequence[str], stage: Stage, lr: float
    ) -> None:
        """Take one step of the optimizer per learning rate; as a rule there is one."""
        trained = cohort.views(block).rows
        touched = {label: trained[label] for label in labels}
        for rate, blocks in rows_by_rate(touched, cohort.rates(stage, block)).items():
            self.optimizer.step(blocks, lr * rate)


def largest_divisor(number: int, most: int) -> int:
    """The largest one that is at most ``most``."""
    return next(divisor for divisor in range(most, 0, -1) if number % divisor == 0)


def _work(part: CompiledPart) -> int:
    """How much a part takes, in comparison."""
    cohort, block, _ = part
    return cohort.chunks.training_bytes * (block.stop - block.start)


def tie_gradients(layout: Layout) -> None:
    """Replace each row's gradient by the mean over its seed's rows, weighted by samples.

    Rows that start equal stay equal: centralised training on the union of the samples.
    """
    sizes = {
        (agent.seed, agent.name): float(size)
        for cohort in layout.cohorts
        for agent, size in zip(cohort.agents, cohort.data.sizes, strict=True)
    }
    for rows in layout.branches.values():
        _tie(rows, [sizes[agent.seed, agent.name] for agent in rows.agents])


def _tie(rows: BranchRows, sizes: Sequence[float]) -> None:
    weight = torch.tensor(sizes, dtype=rows.theta.dtype, device=rows.theta.device).unsqueeze(1)
    seeds = torch.tensor([agent.seed for agent in rows.agents], device=rows.theta.device)
    for seed in seeds.unique():
        own = seeds == seed
        share = weight[own] / weight[own].sum()
        rows.gradient[own] = (share * rows.gradient[own]).sum(0, keepdim=True)
