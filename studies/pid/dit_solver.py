"""The union information by ``dit``, through its alternating minimisation (``admui``).

Its objective is computed here from the distribution that it ends at: the unique informations
that it reports are off by up to 1e-3 bits where some probabilities are tiny.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from parse_dfl.analysis.pid.decomposition import mutual_information

ITERATIONS = 2000


def union_by_dit(joint: NDArray[np.float64]) -> float:
    """Return R + U1 + U2 in bits of ``joint``, shape (x1, x2, y), summing to 1."""
    import dit
    from dit.algorithms.broja_util import optimized_pmf
    from dit.algorithms.distribution_optimizers import BROJAAdmUIOptimizer

    outcomes = [tuple(int(each) for each in cell) for cell in np.argwhere(joint > 0)]
    distribution = dit.Distribution(outcomes, [joint[cell] for cell in outcomes])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it does not converge
        optimizer = BROJAAdmUIOptimizer(distribution, [(0,), (1,)], [2], maxiter=ITERATIONS)
        optimizer.optimize()
    found = np.asarray(optimized_pmf(optimizer))
    return mutual_information(found.reshape(-1, joint.shape[2]))
