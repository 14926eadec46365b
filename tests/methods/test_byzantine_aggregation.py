from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.byzantine import Averaging, Balance, RobustRule
from parse_dfl.errors import OverlayError
from parse_dfl.methods.base import AVERAGE
from parse_dfl.methods.byzantine_aggregation import edge_distances, robust_method, robust_rule
from parse_dfl.methods.dsgd import dsgd
from parse_dfl.overlays.mixing_matrix import MixingMatrix
from tests.federation import GivenRows, mixing_over

RULES = ("clipping", "clipping:radius=0.5", "balance:gamma=0.6", "trimmed-mean")


def rule_of(text):
    return robust_rule(RobustRule.from_string(text))


def random_rows(size, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 1 + 0.2 * torch.randn(size, width, dtype=torch.float64, generator=generator)


def after(text, theta, mixing, **rows):
    rule, rows = rule_of(text), GivenRows(theta, **rows)
    return rule.receive(rows, rule.send(rows, mixing), mixing)


@pytest.mark.parametrize("rule", RULES)
def test_equal_rows_stay(rule):
    theta = random_rows(1).expand(6, -1).clone()
    torch.testing.assert_close(after(rule, theta, mixing_over(6, "full")), theta)


@pytest.mark.parametrize("rule", ["clipping:radius=1e9", "balance:gamma=1e9,kappa=0"])
def test_where_nobody_is_far_it_is_averaging_bit_for_bit(rule):
    theta, mixing = random_rows(6), mixing_over(6, "chordal-ring")
    rows = GivenRows(theta)
    assert torch.equal(
        after(rule, theta, mixing), AVERAGE.receive(rows, AVERAGE.send(rows, mixing), mixing)
    )


def test_clipping_is_the_formula_of_the_paper():
    theta, mixing, radius = random_rows(5), mixing_over(5, "full"), 0.3
    expected = theta.clone()
    for source, target, weight in zip(mixing.source, mixing.target, mixing.weight, strict=True):
        step = theta[source] - theta[target]
        expected[target] += weight * step * min(1, radius / float(step.norm()))
    torch.testing.assert_close(after(f"clipping:radius={radius}", theta, mixing), expected)


def test_the_adaptive_radius_puts_the_farthest_aside():
    """Of one attacker it is the second largest distance, as in the authors' code."""
    theta = torch.tensor([[0.0], [1.0], [-2.0], [50.0]], dtype=torch.float64)
    mixing = MixingMatrix.of(np.array([1, 2, 3]), np.zeros(3, int), np.full(3, 0.25), size=4)
    mixed = after("clipping:attackers=1", theta, mixing)
    torch.testing.assert_close(mixed[0, 0], torch.tensor((1 - 2 + 2) / 4, dtype=torch.float64))
    assert torch.equal(mixed[1:], theta[1:])


def test_clipping_is_doubly_stochastic_where_radii_are_equal():
    theta, mixing = random_rows(7), mixing_over(7, "ring")
    mixed = after("clipping:radius=0.2", theta, mixing)
    torch.testing.assert_close(mixed.mean(0), theta.mean(0))


def test_balance_hears_only_those_who_are_near():
    theta = torch.tensor([[1.0], [1.2], [1.6]], dtype=torch.float64)
    mixing = mixing_over(3, "full")
    loose = after("balance:gamma=0.3,kappa=0", theta, mixing)
    torch.testing.assert_close(loose[0], (2 * theta[0] + theta[1]) / 3)
    strict = after("balance:gamma=0.3,kappa=1", theta, mixing, progress=1.0)
    assert torch.equal(strict[0], theta[0])
    begun = after("balance:gamma=0.3,kappa=1", theta, mixing, progress=0.0)
    torch.testing.assert_close(begun, loose)


@pytest.mark.parametrize("attackers", [1, 2])
def test_the_trimmed_mean_is_the_trimmed_mean(attackers):
    theta, mixing = random_rows(6, width=9), mixing_over(6, "full")
    mixed = after(f"trimmed-mean:attackers={attackers}", theta, mixing)
    for row in range(6):
        others = np.sort(np.delete(theta.numpy(), row, axis=0), axis=0)[attackers:-attackers]
        expected = np.concatenate([theta[row : row + 1].numpy(), others]).mean(0)
        np.testing.assert_allclose(mixed[row].numpy(), expected)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(RULES),
    st.integers(4, 9),
    st.integers(0, 999),
    st.sampled_from(["full", "ring"]),
)
def test_a_peer_gets_what_the_simulator_gets(text, size, seed, topology):
    """From its own row and those of its neighbours alone."""
    rule, theta, mixing = rule_of(text), random_rows(size, seed=seed), mixing_over(size, topology)
    together = after(text, theta, mixing)
    for row in range(size):
        edges = np.flatnonzero(mixing.target == row)
        there = np.arange(1, len(edges) + 1)
        own = MixingMatrix.of(
            there, np.zeros_like(there), mixing.weight[edges], size=len(edges) + 1
        )
        alone = theta[[row, *mixing.source[edges]]]
        rows = GivenRows(alone)
        mixed = rule.receive(rows, rule.send(rows, own), own)
        torch.testing.assert_close(mixed[0], together[row])
        assert torch.equal(mixed[1:], alone[1:])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RULES), st.integers(0, 999), st.sampled_from([1e3, 1e20, float("nan")]))
def test_one_liar_never_drags_anybody_out_of_reach(text, seed, size):
    """Each honest row stays as near to the honest as they are to one another."""
    theta, mixing = random_rows(7, seed=seed), mixing_over(7, "full")
    honest = theta[1:].clone()
    theta[0] = size
    moved = (after(text, theta, mixing)[1:] - honest).norm(dim=1)
    spread = float(torch.cdist(honest, honest).max())
    assert torch.isfinite(moved).all()
    assert float(moved.max()) <= max(spread, 0.5)


@pytest.mark.parametrize("rule", RULES)
def test_rows_without_neighbours_stay(rule):
    theta = random_rows(3)
    nothing = MixingMatrix.of(np.empty(0, int), np.empty(0, int), np.empty(0), size=3)
    assert torch.equal(after(rule, theta, nothing), theta)


def test_too_few_neighbours_in_a_round_leave_the_row_as_it_is():
    theta = random_rows(3)
    one = MixingMatrix.of(np.array([1]), np.array([0]), np.array([0.5]), size=3)
    for rule in ("clipping", "trimmed-mean"):
        assert torch.equal(after(rule, theta, one), theta)


@pytest.mark.parametrize(
    ("rule", "degree", "needs"),
    [
        ("clipping", 1, "needs 2"),
        ("clipping:attackers=3", 3, "needs 4"),
        ("trimmed-mean", 2, "needs 3"),
        ("trimmed-mean:attackers=2", 3, "needs 5"),
        ("trimmed-mean:attackers=0.6", 3, "needs fewer attackers"),
    ],
)
def test_ill_posed_rules_say_what_would_do(rule, degree, needs):
    name = rule.partition(":")[0]
    with pytest.raises(OverlayError) as caught:
        rule_of(rule).check("acc+gyro/synergy", "acc+gyro-0", degree)
    assert f"{name} of attackers=" in str(caught.value)
    assert "ill-posed on acc+gyro/synergy: acc+gyro-0 has " in str(caught.value)
    assert f"{needs}; use a topology of more neighbours" in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "degree"),
    [
        ("clipping", 0),
        ("clipping", 2),
        ("balance", 1),
        ("clipping:radius=1", 1),
        ("trimmed-mean", 3),
    ],
)
def test_well_posed_rules(rule, degree):
    rule_of(rule).check("x", "a", degree)


@pytest.mark.parametrize("dense", [0, 50])
def test_distances_one_by_one_and_all_at_once(monkeypatch, dense):
    theta, mixing = random_rows(6), mixing_over(6, "full")
    monkeypatch.setattr("parse_dfl.methods.byzantine_aggregation.MOST_NUMBERS", 20)
    monkeypatch.setattr("parse_dfl.methods.byzantine_aggregation.DENSE", dense)
    expected = (theta[mixing.source] - theta[mixing.target]).norm(dim=1).numpy()
    np.testing.assert_allclose(edge_distances(theta, mixing), expected)


def test_the_rule_takes_the_place_of_averaging_everywhere():
    method = dsgd("dsgd-task")
    assert robust_method(method, Averaging()) is method
    robust = robust_method(method, Balance())
    assert str(robust.stages[0].averaging) == "balance of gamma=1"
