"""Class scores turned into probabilities that mean what they say.

One weight per classifier and one bias per class are fitted to the held-out scores by maximum
likelihood: log p(y|x) = Σ_k w_k z_k(x, y) + b(y) - log Σ_y' exp(…).  With one classifier this is
temperature scaling; with several it also weighs them.  At the optimum

- the mean probability of each class is its frequency (derivative by b), and
- the mean entropy of p(·|x) is the held-out cross-entropy (derivatives by w and b),

so that informations computed from these probabilities are held-out ones: overfitting cannot
inflate them.

Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017,
https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from parse_dfl.analysis.pid.information import Table


def calibrated(scores: Sequence[Table], label: NDArray[np.int64]) -> Table:
    """log p(y|x) in nats, shape (samples, classes), from classifiers' held-out scores.

    Args:
        scores: per classifier, shape (samples, classes).
        label: shape (samples,), 0 … classes-1, each class at least once.
    """
    stacked = np.stack([log_softmax(each, axis=1) for each in scores])
    count, samples, classes = stacked.shape
    rows = np.arange(samples)

    def loss(parameters: Table) -> tuple[float, Table]:
        weights, bias = parameters[:count], parameters[count:]
        log_p = log_softmax(np.tensordot(weights, stacked, axes=1) + bias, axis=1)
        excess = np.exp(log_p)
        excess[rows, label] -= 1
        slope = [np.vdot(each, excess) for each in stacked]
        gradient = np.concatenate([slope, excess.sum(axis=0)]) / samples
        return float(-log_p[rows, label].mean()), gradient

    start = np.concatenate([np.full(count, 1 / count), np.zeros(classes)])
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights, bias = fitted.x[:count], fitted.x[count:]
    return np.asarray(log_softmax(np.tensordot(weights, stacked, axes=1) + bias, axis=1))
