"""Inspect and tune this process: its command, threads and memory, and signals that ask it to stop.

Choose how many threads the numerical libraries use in this process, and how they wait.

Torch, numpy, SciPy and scikit-learn start a thread per processor by themselves, and OpenMP's
threads wait for each other awake.  The products of one training step are small: beside any other
work a step then waits for the slowest core, and takes up to ten times as long (docs/scaling.md
has the measurements).  One thread is nearly as fast on an idle machine, and gives the same bits
whatever else runs.

A training step frees its activations, and glibc gives them back to the system, which hands them
out again page by page, zeroed: 40,000 page faults a round with 100 agents on images, a tenth to a
fifth of its time.  Kept for the next step they cost nothing.

Ctrl-C (SIGINT), SIGTERM and SIGHUP, which batch schedulers and closed terminals send, all ask to
stop.  The round under way is finished before a run stops, so that a checkpoint is whole.  A signal
that is ignored (SIGHUP under ``nohup``) stays ignored.

Nothing here happens on import: the command line calls :func:`tune_process`, and so may a program
of your own, before anything imports numpy or torch.  The Python API holds torch to as many threads
while it trains (:func:`torch_threads`), and leaves the process as it was.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from numbers import Integral
from pathlib import Path
from types import FrameType
from typing import NoReturn

from parse_dfl.errors import ConfigError

NAME = "parse-dfl"
MODULE = "parse_dfl"


def command(*words: str) -> str:
    """Return ``parse-dfl WORDS…`` as the user would type it, quoted for the shell.

    Called by a path that is not on the search path, it is that path; called as a module, it is
    ``python -m parse_dfl`` with the same interpreter.  Within a program of the user's own it is
    the plain name.
    """
    return shlex.join([*_called_as(), *words])


def _called_as() -> list[str]:
    called = Path(sys.argv[0]) if sys.argv else Path()
    if called.name == "__main__.py" and called.parent.name == MODULE:
        return [_as_typed(sys.orig_argv[0], sys.executable), "-m", MODULE]
    if called.name == NAME:
        return [_as_typed(sys.argv[0], sys.argv[0])]
    return [NAME]


def _as_typed(text: str, path: str) -> str:
    """Return the bare name where the shell finds the same file by it, else what was typed."""
    program = shutil.which(Path(text).name)
    return Path(text).name if program and _same_file(program, path) else text


def _same_file(one: str, other: str) -> bool:
    """Compare paths without resolving links: environments link to the same interpreter."""
    return Path(one).absolute() == Path(other).absolute()


THREADS = "OMP_NUM_THREADS"
MOST_THREADS = 1024
OTHERS = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
WAITS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


def tune_process(
    threads: int | None = None, environment: MutableMapping[str, str] | None = None
) -> None:
    """Use ``threads`` threads in this process and those that it starts, let them sleep while they
    wait, and keep freed memory for the next step.

    None is one thread, unless ``OMP_NUM_THREADS`` says otherwise; variables that the environment
    sets about waiting stand too.  Libraries read the environment when they are loaded: where torch
    is loaded already, only its own number of threads can still be changed.
    """
    values = os.environ if environment is None else environment
    if threads is not None:
        values.update(dict.fromkeys((THREADS, *OTHERS), str(threads)))
    elif THREADS not in values:
        values[THREADS] = "1"
        for name in OTHERS:
            values.setdefault(name, "1")
    if not any(name in values for name in WAITS):
        values.update(PASSIVE)
    if environment is not None:
        return
    keep_freed_memory()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(_asked(values))


def thread_count(threads: object, *, compiled: bool) -> int:
    """Return how many threads to train on, by the rule of the command line's ``--threads``.

    None is what ``OMP_NUM_THREADS`` says, else one, or every processor where steps are compiled;
    ``"all"`` is every processor.

    Raises:
        ConfigError: it is neither, nor a number of threads.
    """
    if threads == "all" or (threads is None and compiled and THREADS not in os.environ):
        return processors()
    if threads is None:
        return _asked(os.environ)
    if isinstance(threads, bool) or not isinstance(threads, Integral):
        raise ConfigError(f"threads must be a whole number or 'all', not {threads!r}")
    count = int(threads)
    if not 1 <= count <= MOST_THREADS:
        raise ConfigError(f"threads must be from 1 to {MOST_THREADS}, not {count}")
    return count


_TRAINING = threading.RLock()
"""Held while the process trains."""


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute on ``count`` threads, and on as many as before afterwards.

    Another thread of the program that trains meanwhile waits: networks and draws keep state in the
    process, and side by side two trainings would change each other's numbers.
    """
    import torch

    with _TRAINING:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _asked(values: MutableMapping[str, str]) -> int:
    first = (
        values.get(THREADS, "").split(",")[0].strip()
    )  # OpenMP allows a number per level of nesting
    return max(1, int(first)) if first.isascii() and first.isdigit() else 1


# Numbers of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 256 << 20
"""Free memory at the heap's end up to this stays with the process."""
LARGEST_BYTES = 32 << 20
"""What is larger is given back at once, as before; no part of a stack has tensors of this size.
Older versions of glibc allow no more."""
ALLOCATOR_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
"""Variables by which a person sets the same: what they say stands."""


@cache
def keep_freed_memory() -> bool:
    """Let the C library keep freed memory, in the whole process.

    Return False where that is not glibc, or the environment sets its allocator.
    """
    if any(name in os.environ for name in ALLOCATOR_SETTINGS):
        return False
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))


TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """This process's number among ``size``, and among those of its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process prints and writes files; one does, the first."""
        return self.rank == 0


def launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """Read what ``torchrun`` (or whoever sets the same variables) says: one process if nobody
    does."""
    if any(name not in environment for name in TORCHRUN):
        return Launch()
    rank = int(environment["RANK"])
    return Launch(
        rank=rank,
        size=int(environment["WORLD_SIZE"]),
        local_rank=int(environment.get("LOCAL_RANK", rank)),
    )


_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 10**3, "mb": 10**6,
          "gb": 10**9}  # fmt: skip
_PAGE_BYTES = resource.getpagesize()


def memory_bytes(text: str) -> int:
    """Return the bytes of a text such as ``2GiB``, ``512 MiB`` or ``3000000000``.

    Raises:
        ConfigError: it is no size, or is zero.
    """
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)", text.strip())
    if not match or match[2].lower() not in _UNITS or not float(match[1]):
        raise ConfigError(
            f"memory limit {text!r} is not a size; write it as 512MiB, 2GiB or a number of bytes"
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])


def format_bytes(size_bytes: float) -> str:
    """Write a size for people."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if abs(size_bytes) >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes / 1024:.0f} KiB"


def resident_bytes() -> int:
    """Return what this process holds now (where the system does not tell: held at most so far)."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * _PAGE_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask to stop."""
ECHO_S = 2.0
"""Within this time a launcher's copy of a signal that reached the whole process group is no second
wish to stop."""

Handler = Callable[[int, FrameType | None], None]


class Stopped(KeyboardInterrupt):
    """Raised when a signal asked to stop; ``number`` is the signal's."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


class Stop:
    """Remembers whether somebody has asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.at = 0.0

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self.number is not None

    def error(self) -> Stopped:
        """Return what ends the run once its checkpoint is written."""
        return Stopped(signal.SIGINT if self.number is None else self.number)


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Raise :class:`Stopped` where the program happens to be."""
    raise Stopped(number)


@contextmanager
def interrupt_at_once() -> Iterator[None]:
    """Raise :class:`Stopped` for every signal that asks to stop, so that all is tidied up."""
    with handled(end_at_once):
        yield


@contextmanager
def interrupt_after_round(*, echoes: bool = False) -> Iterator[Stop]:
    """Let the first signal that asks to stop only be remembered; a second one interrupts at once.

    ``echoes`` says that a launcher such as ``torchrun`` passes on to this process what may have
    reached it already: the same signal again within :data:`ECHO_S` then counts once.

    Outside of the main thread, where signals cannot be handled, nothing changes.
    """
    stop = Stop()

    def remember(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if stop.asked and not (echoes and number == stop.number and now - stop.at < ECHO_S):
            end_at_once(number, frame)
        if not stop.asked:
            stop.number, stop.at = number, now

    with handled(remember):
        yield stop


@contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """Let ``handler`` take all signals that ask to stop, but for those that are ignored."""
    before = _install(handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _install(handler: Handler) -> Mapping[signal.Signals, Handler | int | None]:
    """Install a handler; return those that it replaces.

    SIGINT is always taken: a shell ignores it for whatever it starts in the background, where
    ``kill -INT`` must work all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    taken = [
        number
        for number in STOPS
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    ]
    return {number: signal.signal(number, handler) for number in taken}
