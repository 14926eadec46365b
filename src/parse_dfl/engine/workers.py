"""Threads that train parts side by side, and the memory that the C library keeps for them.

Torch shares out every single operation among its threads, and waits for all of them after each.
Parts of stacks have nothing to do with one another until the exchange: a thread that takes all
steps of one waits once a round, and works in its core's own cache.  That pays where a task hardly
runs Python, of which one thread alone may run at a time: for compiled steps, and for mixing.

Let the C library keep what a step frees for the next step.

A step frees its activations, and glibc gives them back to the system, which hands them out again
page by page, zeroed: 40,000 page faults a round with 100 agents on images, a tenth to a fifth of
its time.
"""

from __future__ import annotations

import ctypes
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


# Numbers of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 256 << 20
"""Free memory at the heap's end up to this stays with the process."""
LARGEST_BYTES = 32 << 20
"""What is larger is given back at once, as before; no part of a stack has tensors of this size.
Older versions of glibc allow no more."""
ASKED_OTHERWISE = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
"""Variables by which a person sets the same: what they say stands."""


@cache
def keep_freed_memory() -> bool:
    """Ask for it, for the whole process; False where the C library is not glibc, or the
    environment sets its allocator."""
    if any(name in os.environ for name in ASKED_OTHERWISE):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
