"""Choose how many threads the numerical libraries use in this process, and how they wait.

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
import sys
from collections.abc import MutableMapping

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
