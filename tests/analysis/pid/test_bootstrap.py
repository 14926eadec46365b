from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.pid.bootstrap import intervals
from parse_dfl.analysis.pid.decomposition import Information


def run(pointwise, groups=None):
    information = Information(*pointwise.mean(axis=0))
    return intervals(
        information, pointwise, Information.atoms, resamples=400, groups=groups, seed=0
    )


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return rng.normal((0.6, 0.5, 0.8, 1.2), 0.3, (500, 4))


def test_the_width_is_that_of_the_mean(samples):
    *_, (low, high) = run(samples)
    assert high - low == pytest.approx(2 * 1.96 * 0.3 / np.sqrt(500), rel=0.2)


def test_groups_are_drawn_whole(samples):
    copies = np.repeat(samples, 4, axis=0)
    blind = run(copies)[-1]
    aware = run(copies, np.repeat(np.arange(500), 4))[-1]
    assert aware[1] - aware[0] == pytest.approx(2 * (blind[1] - blind[0]), rel=0.25)


def test_the_total_of_an_and_gate_is_covered():
    from parse_dfl.analysis.pid import estimate

    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(40):
        a, b = rng.integers(0, 2, (2, 400))
        found = estimate(a, b, a & b, bootstrap=200, seed=seed)
        low, high = found.ci95["total"]
        hits += low <= 0.811 <= high
    assert hits >= 34
