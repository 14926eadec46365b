"""Tasks done side by side: a thread each, which keeps torch's own threads out of its operations.

Torch shares out every single operation among its threads, and waits for all of them after each.
Parts of cohorts have nothing to do with one another until the exchange: a thread that takes all
steps of one waits once a round, and works in its core's own cache.  That pays where a task hardly
runs Python, of which one thread alone may run at a time: for compiled steps, and for mixing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch

Task = Callable[[], object]


class Workers:
    """``threads`` of them; one alone does all in the thread that asks."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def run(self, tasks: Iterable[Task]) -> None:
        """Do all tasks, the first ones first, and return when all have ended; what one of them
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
    """A process's own: one that was forked has none of its parent's threads."""
    return ThreadPoolExecutor(threads, "parse-dfl-worker", initializer=_use_one_thread)


def _use_one_thread() -> None:
    """Asking makes torch keep, for this thread, what was set."""
    torch.set_num_threads(1)
    torch.get_num_threads()
