"""The union information and its certificate, and exact decompositions against other solvers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.analysis.pid.decomposition import entropy, mutual_information
from parse_dfl.analysis.pid.discrete import (
    TOLERANCE_BITS,
    as_codes,
    exact_estimate,
    frequencies,
    pointwise_information,
    solve,
    union_information,
)

AND = 1.5 - 0.75 * np.log2(3)  # I(X;Y) of AND, all of it redundant: 0.311 bits


def gate(rule, values=2):
    joint = np.zeros((2, 2, values))
    for a in (0, 1):
        for b in (0, 1):
            joint[a, b, rule(a, b)] = 0.25
    return joint


def redundant_bit():
    joint = np.zeros((2, 2, 2))
    joint[0, 0, 0] = joint[1, 1, 1] = 0.5
    return joint


def random_joint(seed, sizes=None, concentration=None):
    rng = np.random.default_rng(seed)
    sizes = sizes or rng.integers(2, 6, 3)
    concentration = concentration or rng.choice([1.0, 0.3, 0.1])
    return rng.dirichlet(np.full(np.prod(sizes), concentration)).reshape(sizes)


@pytest.mark.parametrize(
    ("joint", "atoms"),
    [
        pytest.param(redundant_bit(), (1, 0, 0, 0), id="RDN"),
        pytest.param(gate(lambda a, b: a), (0, 1, 0, 0), id="UNQ"),
        pytest.param(gate(lambda a, b: a ^ b), (0, 0, 0, 1), id="XOR"),
        pytest.param(gate(lambda a, b: a & b), (AND, 0, 0, 0.5), id="AND"),
        pytest.param(gate(lambda a, b: 2 * a + b, 4), (0, 1, 1, 0), id="COPY"),
    ],
)
def test_closed_forms(joint, atoms):
    assert solve(joint).information.atoms() == pytest.approx(atoms, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_sums_are_mutual_informations_and_swapping_swaps(seed):
    joint = random_joint(seed)
    atoms = solve(joint).information.atoms()
    assert min(atoms) >= 0
    first, second = mutual_information(joint.sum(axis=1)), mutual_information(joint.sum(axis=0))
    total = mutual_information(joint.reshape(-1, joint.shape[2]))
    assert atoms.redundant + atoms.unique_first == pytest.approx(first, abs=1e-9)
    assert atoms.redundant + atoms.unique_second == pytest.approx(second, abs=1e-9)
    assert sum(atoms) == pytest.approx(total, abs=2 * TOLERANCE_BITS)
    swapped = solve(joint.transpose(1, 0, 2)).information.atoms()
    expected = (atoms.redundant, atoms.unique_second, atoms.unique_first, atoms.synergistic)
    assert swapped == pytest.approx(expected, abs=2 * TOLERANCE_BITS)


@pytest.mark.parametrize("seed", range(5))
def test_a_cone_solver_finds_the_same_optimum(seed):
    pytest.importorskip("clarabel", reason="the second solver is not installed")
    from studies.pid.cone import solve_union

    joint = random_joint(seed)
    union = solve(joint).union
    assert union.gap_bits <= TOLERANCE_BITS
    assert union.bits == pytest.approx(solve_union(joint).bits, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_dit_finds_the_same_optimum(seed):
    pytest.importorskip("dit", reason="dit is not installed")
    from studies.pid.dit_solver import union_by_dit

    joint = random_joint(seed, sizes=(3, 3, 3), concentration=1.0)
    assert solve(joint).union.bits == pytest.approx(union_by_dit(joint), abs=1e-4)


def test_values_that_never_occur_change_nothing():
    wide = np.zeros((3, 4, 3))
    wide[:2, 1:3, :2] = gate(lambda a, b: a & b)
    assert solve(wide).information.atoms() == pytest.approx((AND, 0, 0, 0.5), abs=1e-5)


def test_the_samples_own_information_averages_to_the_whole():
    rng = np.random.default_rng(0)
    x1, x2 = rng.integers(0, 3, (2, 400))
    y = (x1 + x2 + (rng.random(400) < 0.2)) % 3
    joint = frequencies(x1, x2, y)
    assert joint.sum() == pytest.approx(1)
    exact = solve(joint)
    pointwise = pointwise_information(exact, joint, (x1, x2, y))
    assert pointwise.mean(axis=0) == pytest.approx(tuple(exact.information), abs=1e-9)


def test_codes_are_of_few_whole_numbers_one_a_sample():
    assert as_codes(np.array([3, 7, 3, 9])).tolist() == [0, 1, 0, 2]
    assert as_codes(np.array([[1.0], [5.0]])).tolist() == [0, 1]
    assert as_codes(np.array([0.5, 1.0])) is None
    assert as_codes(np.arange(21)) is None
    assert as_codes(np.zeros((4, 2), int)) is None


def test_the_exact_estimate_is_that_of_the_counted_frequencies():
    a, b = np.tile([[0, 0, 1, 1], [0, 1, 0, 1]], 500)
    estimate = exact_estimate(a, b, a & b)
    assert estimate.information.atoms() == pytest.approx((AND, 0, 0, 0.5), abs=1e-5)
    assert estimate.pointwise.shape == (2000, 4)
    assert estimate.warnings == ()


def sides(seed):
    joint = np.random.default_rng(seed).dirichlet(np.ones(60)).reshape(4, 5, 3)
    return joint.sum(axis=1), joint.sum(axis=0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_certificate_holds_however_early_the_solver_stops(seed):
    first, second = sides(seed)
    best = union_information(first, second, tolerance_bits=1e-6, iterations=5_000).bits
    early = union_information(first, second, iterations=5)
    assert early.bits - early.gap_bits <= best + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_union_lies_within_its_bounds(seed):
    first, second = sides(seed)
    bits = union_information(first, second, tolerance_bits=1e-5, iterations=20_000).bits
    single = mutual_information(first), mutual_information(second)
    assert max(single) - 1e-5 <= bits <= sum(single) + 1e-5


def test_the_scalings_are_the_dual_variables():
    first, second = sides(0)
    union = union_information(first, second, tolerance_bits=1e-6, iterations=20_000)
    dual = (first * union.log_u).sum() + (second * union.log_v).sum()
    assert dual + entropy(first.sum(axis=0)) == pytest.approx(union.bits)
    assert np.exp2(union.log_u) @ np.exp2(union.log_v).T == pytest.approx(
        np.minimum(np.exp2(union.log_u) @ np.exp2(union.log_v).T, 1), abs=1e-3
    )
