"""Train locally: every agent's steps of one round, parts of stacks side by side in threads.

Torch shares out every single operation among its threads, and waits for all of them after each.
Parts of stacks have nothing to do with one another until the exchange: a thread that takes all
steps of one waits once a round, and works in its core's own cache.  That pays where a task hardly
runs Python, of which one thread alone may run at a time: for compiled steps, and for mixing.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch

from parse_dfl.config import TrainingConfig
from parse_dfl.engine.agent_stack import STEPS_AHEAD, StackPart
from parse_dfl.engine.layout import Layout
from parse_dfl.engine.optimizer import RowOptimizer, rows_by_rate
from parse_dfl.engine.state import BranchState
from parse_dfl.engine.training_step import PartSteps
from parse_dfl.methods.base import Stage


def scheduled_lr(lr: float, schedule: str, round: int, first: int, last: int) -> float:
    """Return the learning rate of a round (from 1) in a stage of rounds ``first`` to ``last``.

    ``cosine`` falls from ``lr`` in the first round towards zero after the last.
    """
    if schedule == "constant":
        return lr
    progress = (round - first) / max(1, last - first + 1)
    return lr * 0.5 * (1 + math.cos(math.pi * progress))


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
        """Take ``steps`` minibatch steps with every agent.

        Agents do not meet before the exchange, so that a part of a stack takes all its steps
        while its rows are in the cache; only centralised training, which ties the gradients of
        all rows, goes step by step.
        """
        if self.centralised:
            self._train_tied(layout, stage, round, lr)
            return
        together = largest_divisor(self.steps, STEPS_AHEAD)
        compiled: list[tuple[StackPart, PartSteps]] = []
        for part in (part for stack in layout.stacks for part in stack.parts):
            take = part.compiled_steps(stage, together)
            if take is not None:
                compiled.append((part, take))
                continue
            for minibatch in part.minibatches(round, self.steps):
                labels = part.gradients(stage.objective, minibatch)
                self._update(part, sorted(labels), stage, lr)
        compiled.sort(key=lambda pair: pair[0].training_bytes, reverse=True)  # short ones last
        self._workers.run(self._task(part, take, round, together, lr) for part, take in compiled)

    def _task(self, part: StackPart, take: PartSteps, round: int, together: int, lr: float) -> Task:
        """Return a task that takes all compiled steps of a part's round."""
        rate = torch.tensor(lr, dtype=torch.float64, device=part.constants.weight.device)

        def task() -> None:
            for choice in part.sampler.choices(round, self.steps, together):
                take(choice, rate)

        return task

    def _train_tied(self, layout: Layout, stage: Stage, round: int, lr: float) -> None:
        parts = [stack.whole for stack in layout.stacks]
        batches = [part.minibatches(round, self.steps) for part in parts]
        for together in zip(*batches, strict=True):
            touched = [
                part.gradients(stage.objective, minibatch)
                for part, minibatch in zip(parts, together, strict=True)
            ]
            tie_gradients(layout)
            for part, labels in zip(parts, touched, strict=True):
                self._update(part, sorted(labels), stage, lr)

    def _update(self, part: StackPart, labels: Sequence[str], stage: Stage, lr: float) -> None:
        """Take one step of the optimizer per learning rate; as a rule there is one."""
        touched = {label: part.rows[label] for label in labels}
        for rate, blocks in rows_by_rate(touched, part.rates(stage)).items():
            self.optimizer.step(blocks, lr * rate)


def largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor that is at most ``most``."""
    return next(divisor for divisor in range(most, 0, -1) if number % divisor == 0)


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
        of_seed = seeds == seed
        share = weight[of_seed] / weight[of_seed].sum()
        rows.gradient[of_seed] = (share * rows.gradient[of_seed]).sum(0, keepdim=True)


Task = Callable[[], object]


class Workers:
    """Threads that run tasks side by side; one alone runs them in the thread that asks."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def run(self, tasks: Iterable[Task]) -> None:
        """Run all tasks, the first ones first, and return when all have ended; what one of them
        raises is raised here.

        They are asked for in this thread, a few ahead of those that do them.
        """
        if self.threads == 1:
            for task in tasks:
                task()
            return
        begun: deque[Future[object]] = deque()
        try:
            for task in tasks:
                if len(begun) > self.threads:
                    begun.popleft().result()
                begun.append(_pool(self.threads, os.getpid()).submit(task))
        finally:
            for future in begun:
                future.exception()
        for future in begun:
            future.result()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep torch's threads out of what this thread does as well, if there are workers.

        After an operation they wait for the next one awake, for milliseconds, each on a core that
        a worker could use.
        """
        if self.threads == 1:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:  # noqa: ARG001
    """Return this process's pool of threads; a forked process has none of its parent's threads."""
    return ThreadPoolExecutor(threads, "parse-dfl-worker", initializer=_use_one_thread)


def _use_one_thread() -> None:
    """Restrict torch to one thread within this one; reading the number back makes it last."""
    torch.set_num_threads(1)
    torch.get_num_threads()
