"""Local training: every agent's steps of one round."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from parse_dfl.config import TrainingConfig
from parse_dfl.engine.agent_stack import STEPS_AHEAD, AgentStack
from parse_dfl.engine.compiled import BlockSteps
from parse_dfl.engine.layout import Layout
from parse_dfl.engine.optimizer import RowOptimizer
from parse_dfl.engine.rates import rows_by_rate
from parse_dfl.engine.state import BranchState
from parse_dfl.engine.workers import Task, Workers
from parse_dfl.methods.base import Stage


def scheduled_lr(lr: float, schedule: str, round: int, first: int, last: int) -> float:
    """The learning rate of a round (from 1) in a stage of rounds ``first`` to ``last``.

    ``cosine`` falls from ``lr`` in the first round towards zero after the last.
    """
    if schedule == "constant":
        return lr
    progress = (round - first) / max(1, last - first + 1)
    return lr * 0.5 * (1 + math.cos(math.pi * progress))


CompiledPart = tuple[AgentStack, slice, BlockSteps]
"""Rows of a stack, and what takes steps with them."""


class LocalTrainer:
    """Runs the local steps of a round on all stacks of a layout."""

    def __init__(
        self, config: TrainingConfig, *, steps: int, centralised: bool, workers: Workers
    ) -> None:
        self.optimizer = RowOptimizer(config)
        self.steps = steps
        self.centralised = centralised
        self._workers = workers

    def train(self, layout: Layout, stage: Stage, *, round: int, lr: float) -> None:
        """``steps`` minibatch steps for every agent.

        Agents do not meet before the exchange, so that a part of a stack takes all its steps
        while its rows are in the cache; only centralised training, which ties the gradients of
        all rows, goes step by step.
        """
        if self.centralised:
            self._train_tied(layout, stage, round, lr)
            return
        together = largest_divisor(self.steps, STEPS_AHEAD)
        compiled: list[CompiledPart] = []
        for stack in layout.stacks:
            for block in stack.chunks.parts():
                take = stack.compiled_steps(stage, block, together)
                if take is not None:
                    compiled.append((stack, block, take))
                    continue
                for minibatch in stack.minibatches(block, round, self.steps):
                    labels = stack.gradients(stage.objective, minibatch, block)
                    self._update(stack, block, sorted(labels), stage, lr)
        compiled.sort(key=_work, reverse=True)  # what is begun last should be short
        self._workers.run(self._task(part, round, together, lr) for part in compiled)

    def _task(self, part: CompiledPart, round: int, together: int, lr: float) -> Task:
        """All steps of a part's round."""
        stack, block, take = part
        rate = torch.tensor(lr, dtype=torch.float64, device=stack.data.label.device)

        def task() -> None:
            for choice in stack.choices(block, round, self.steps, together):
                take(choice, rate)

        return task

    def _train_tied(self, layout: Layout, stage: Stage, round: int, lr: float) -> None:
        batches = [stack.minibatches(stack.all_rows, round, self.steps) for stack in layout.stacks]
        for together in zip(*batches, strict=True):
            touched = [
                stack.gradients(stage.objective, minibatch, stack.all_rows)
                for stack, minibatch in zip(layout.stacks, together, strict=True)
            ]
            tie_gradients(layout)
            for stack, labels in zip(layout.stacks, touched, strict=True):
                self._update(stack, stack.all_rows, sorted(labels), stage, lr)

    def _update(
        self, stack: AgentStack, block: slice, labels: Sequence[str], stage: Stage, lr: float
    ) -> None:
        """Take one step of the optimizer per learning rate; as a rule there is one."""
        trained = stack.views(block).rows
        touched = {label: trained[label] for label in labels}
        for rate, blocks in rows_by_rate(touched, stack.rates(stage, block)).items():
            self.optimizer.step(blocks, lr * rate)


def largest_divisor(number: int, most: int) -> int:
    """The largest one that is at most ``most``."""
    return next(divisor for divisor in range(most, 0, -1) if number % divisor == 0)


def _work(part: CompiledPart) -> int:
    """How much a part takes, in comparison."""
    stack, block, _ = part
    return stack.chunks.training_bytes * (block.stop - block.start)


def tie_gradients(layout: Layout) -> None:
    """Replace each row's gradient by the mean over its seed's rows, weighted by samples.

    Rows that start equal stay equal: centralised training on the union of the samples.
    """
    sizes = {
        (agent.seed, agent.name): float(size)
        for stack in layout.stacks
        for agent, size in zip(stack.agents, stack.data.sizes, strict=True)
    }
    for rows in layout.branches.values():
        _tie(rows, [sizes[agent.seed, agent.name] for agent in rows.agents])


def _tie(rows: BranchState, sizes: Sequence[float]) -> None:
    weight = torch.tensor(sizes, dtype=rows.params.dtype, device=rows.params.device).unsqueeze(1)
    seeds = torch.tensor([agent.seed for agent in rows.agents], device=rows.params.device)
    for seed in seeds.unique():
        own = seeds == seed
        share = weight[own] / weight[own].sum()
        rows.gradient[own] = (share * rows.gradient[own]).sum(0, keepdim=True)
