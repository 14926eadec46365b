"""This process: how it was called, and how many threads it computes on.

Choose how many threads the numerical libraries use in this process, and how they wait.

Torch, numpy, SciPy and scikit-learn start a thread per processor by themselves, and OpenMP's
threads wait for each other awake.  The products of one training step are small: beside any other
work a step then waits for the slowest core, and takes up to ten times as long (docs/scaling.md
has the measurements).  One thread is nearly as fast on an idle machine, and gives the same bits
whatever else runs.

Nothing here happens on import: the command line calls :func:`tune_process`, and so may a program
of your own, before anything imports numpy or torch.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import MutableMapping
from pathlib import Path

NAME = "parse-dfl"
MODULE = "parse_dfl"


def command(*words: str) -> str:
    """``parse-dfl WORDS…`` as the user would type it, quoted for the shell.

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
    """The bare name where the shell finds the same file by it, else what was typed."""
    found = shutil.which(Path(text).name)
    return Path(text).name if found and _same_file(found, path) else text


def _same_file(one: str, other: str) -> bool:
    """Whether two paths name one file of the same folder: environments link to one interpreter."""
    return Path(one).absolute() == Path(other).absolute()


THREADS = "OMP_NUM_THREADS"
OTHERS = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
WAITS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


def tune_process(
    threads: int | None = None, environment: MutableMapping[str, str] | None = None
) -> None:
    """Use ``threads`` threads in this process and those that it starts, and let them sleep while
    they wait.

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
    torch = sys.modules.get("torch")
    if torch is not None and environment is None:
        torch.set_num_threads(_asked(values))


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _asked(values: MutableMapping[str, str]) -> int:
    first = values[THREADS].split(",")[0].strip()  # OpenMP allows a number per level of nesting
    return max(1, int(first)) if first.isascii() and first.isdigit() else 1
