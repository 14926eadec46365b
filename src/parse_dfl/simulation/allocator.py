"""Let the C library keep what a step frees for the next step.

A step frees its activations, and glibc gives them back to the system, which hands them out again
page by page, zeroed: 40,000 page faults a round with 100 agents on images, a tenth to a fifth of
its time.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

# Numbers of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 256 << 20
"""Free memory at the heap's end up to this stays with the process."""
LARGEST_BYTES = 32 << 20
"""What is larger is given back at once, as before; no part of a cohort has tensors of this size.
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
