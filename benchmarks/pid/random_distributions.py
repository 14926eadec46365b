"""The exact decomposition of a hundred random distributions, against two other solvers.

    python -m benchmarks.pid.random_distributions

Each has 2 to 5 values per variable and comes from a Dirichlet distribution of concentration 1,
0.3 or 0.1 in turn.  Needs ``clarabel`` and ``dit`` (the ``dev`` extra); writes
``benchmarks/pid/results/DATE-random-distributions.json``.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pid.cone import solve_union
from benchmarks.pid.dit_solver import unique_by_dit
from benchmarks.pid.results import write
from parse_dfl.pid.exact import solve

COUNT = 100
CONCENTRATIONS = (1.0, 0.3, 0.1)


def main() -> None:
    """Compare all, print and write what was found."""
    rows = [compare(joint) for joint in distributions()]
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    write(
        "random-distributions",
        {
            "distributions": COUNT,
            "largest_distance_to_clarabel_bits": float(np.abs(columns["to_clarabel"]).max()),
            "largest_certified_gap_bits": float(columns["gap"].max()),
            "largest_distance_of_unique_to_dit_admui_bits": float(columns["to_dit"].max()),
            "within_1e-4_of_dit_admui": int((columns["to_dit"] <= 1e-4).sum()),
            "where_dit_is_farther_its_objective_is_higher": bool(
                (columns["dit_excess"][columns["to_dit"] > 1e-4] > 0).all()
            ),
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
    """The hundred, always the same."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(COUNT):
        sizes = rng.integers(2, 6, 3)
        concentration = CONCENTRATIONS[number % len(CONCENTRATIONS)]
        found.append(rng.dirichlet(np.full(np.prod(sizes), concentration)).reshape(sizes))
    return found


def compare(joint: NDArray[np.float64]) -> dict[str, Any]:
    """The union of all three solvers, in bits, and their seconds.

    dit gives U1 and U2 of its own optimum; the excess of their mean over ours is that of its
    objective.
    """
    start = time.perf_counter()
    ours = solve(joint)
    after_ours = time.perf_counter()
    cone = solve_union(joint)
    after_cone = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dit = np.array(unique_by_dit(joint))
    after_dit = time.perf_counter()
    atoms = ours.information.atoms()
    excess = dit - (atoms.unique_first, atoms.unique_second)
    return {
        "to_clarabel": ours.alignment.bits - cone.bits,
        "gap": ours.alignment.gap_bits,
        "to_dit": np.abs(excess).max(),
        "dit_excess": excess.mean(),
        "ours_seconds": after_ours - start,
        "clarabel_seconds": after_cone - after_ours,
        "dit_seconds": after_dit - after_cone,
    }


if __name__ == "__main__":
    main()
