"""The exact decomposition of a hundred random distributions, against two other solvers.

    python -m studies.pid.random_distributions

Each has 2 to 5 values per variable and comes from a Dirichlet distribution of concentration 1,
0.3 or 0.1 in turn.  Needs ``clarabel`` and ``dit`` (the ``dev`` extra); writes
``studies/pid/results/DATE-random-distributions.json``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.discrete import solve
from studies.pid.cone import solve_union
from studies.pid.dit_solver import union_by_dit
from studies.provenance import provenance, today, write_result

RESULTS = Path(__file__).with_name("results")
COUNT = 100
CONCENTRATIONS = (1.0, 0.3, 0.1)


def main() -> None:
    """Compare all, print and write what was found."""
    rows = [compare(joint) for joint in distributions()]
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    write_result(
        RESULTS / f"{today()}-random-distributions.json",
        provenance()
        | {
            "distributions": COUNT,
            "largest_distance_to_clarabel_bits": float(np.abs(columns["to_clarabel"]).max()),
            "largest_certified_gap_bits": float(columns["gap"].max()),
            "dit_admui_within_1e-4": int((columns["dit_excess"] <= 1e-4).sum()),
            "dit_admui_excess_bits": {
                "least": float(columns["dit_excess"].min()),
                "largest": float(columns["dit_excess"].max()),
            },
            "seconds": {
                name: {
                    "median": float(np.median(columns[f"{name}_seconds"])),
                    "max": float(columns[f"{name}_seconds"].max()),
                }
                for name in ("ours", "clarabel", "dit")
            },
        },
    )


def distributions() -> list[NDArray[np.float64]]:
    """Return the hundred, always the same."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(COUNT):
        sizes = rng.integers(2, 6, 3)
        concentration = CONCENTRATIONS[number % len(CONCENTRATIONS)]
        found.append(rng.dirichlet(np.full(np.prod(sizes), concentration)).reshape(sizes))
    return found


def compare(joint: NDArray[np.float64]) -> dict[str, Any]:
    """Return how far the other two solvers' unions are from ours, in bits, and the seconds."""
    start = time.perf_counter()
    ours = solve(joint)
    after_ours = time.perf_counter()
    cone = solve_union(joint)
    after_cone = time.perf_counter()
    dit = union_by_dit(joint)
    after_dit = time.perf_counter()
    return {
        "to_clarabel": ours.union.bits - cone.bits,
        "gap": ours.union.gap_bits,
        "dit_excess": dit - ours.union.bits,
        "ours_seconds": after_ours - start,
        "clarabel_seconds": after_cone - after_ours,
        "dit_seconds": after_dit - after_cone,
    }


if __name__ == "__main__":
    main()
