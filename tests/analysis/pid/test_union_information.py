from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.analysis.pid.decomposition import entropy, mutual_information
from parse_dfl.analysis.pid.union_information import align


def sides(seed):
    joint = np.random.default_rng(seed).dirichlet(np.ones(60)).reshape(4, 5, 3)
    return joint.sum(axis=1), joint.sum(axis=0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_certificate_holds_however_early_the_solver_stops(seed):
    first, second = sides(seed)
    best = align(first, second, tolerance_bits=1e-6, iterations=5_000).bits
    early = align(first, second, iterations=5)
    assert early.bits - early.gap_bits <= best + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_union_lies_within_its_bounds(seed):
    first, second = sides(seed)
    bits = align(first, second, tolerance_bits=1e-5, iterations=20_000).bits
    single = mutual_information(first), mutual_information(second)
    assert max(single) - 1e-5 <= bits <= sum(single) + 1e-5


def test_the_scalings_are_the_dual_variables():
    first, second = sides(0)
    found = align(first, second, tolerance_bits=1e-6, iterations=20_000)
    dual = (first * found.first).sum() + (second * found.second).sum()
    assert dual + entropy(first.sum(axis=0)) == pytest.approx(found.bits)
    assert np.exp2(found.first) @ np.exp2(found.second).T == pytest.approx(
        np.minimum(np.exp2(found.first) @ np.exp2(found.second).T, 1), abs=1e-3
    )
