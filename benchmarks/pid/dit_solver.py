"""The exact decomposition by ``dit``, through its alternating minimisation (``admui``).

Its default solver was seen to miss the optimum by 3e-3 bits on random distributions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unique_by_dit(joint: NDArray[np.float64]) -> tuple[float, float]:
    """U1 and U2 in bits of ``joint``, shape (x1, x2, y), summing to 1."""
    import dit
    from dit.pid import PID_BROJA

    outcomes = [tuple(int(each) for each in cell) for cell in np.argwhere(joint > 0)]
    distribution = dit.Distribution(outcomes, [joint[cell] for cell in outcomes])
    sources = ((0,), (1,))
    unique = PID_BROJA._measure(distribution, sources, (2,), maxiter=2_000, method="admui")
    return float(unique[sources[0]]), float(unique[sources[1]])
