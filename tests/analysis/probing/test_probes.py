"""Probes read what a slice holds and nothing else; purity is made of what they read."""

from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.probing.probes import Ranges, belongs, is_label_bit, purity, read

RANGES = Ranges(fit=slice(0, 500), tune=slice(500, 700), report=slice(700, 1100))
BOUND = 4 * np.sqrt(0.25 / 400)
"""Four standard errors of a fair coin over the reported samples."""


@pytest.fixture(scope="module")
def results():
    """Constructed slices of two bits and their exclusive or, all read at once."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 2, (2, 1100))
    signs = 2.0 * np.stack([first, second], axis=1) - 1 + 0.1 * rng.normal(size=(1100, 2))
    mixed = (signs @ rng.normal(size=(2, 5))).astype(np.float32)
    slices = {
        "holds first": signs[:, :1].astype(np.float32),
        "holds both": np.concatenate([mixed, np.zeros((1100, 1), np.float32)], axis=1),
        "holds nothing": rng.normal(size=(1100, 7)).astype(np.float32),
    }
    targets = {"first": first, "second": second, "xor": first ^ second}
    return read(slices, targets, RANGES, steps=120)


@pytest.mark.parametrize(
    ("name", "held"),
    [("holds first", {"first"}), ("holds both", {"first", "second", "xor"}), ("holds nothing", {})],
)
def test_what_a_slice_holds_is_read_and_nothing_else(results, name, held):
    for target, accuracy in results.accuracy[name].items():
        if target in held:
            assert accuracy > 0.98
        else:
            assert accuracy == pytest.approx(0.5, abs=BOUND)


def test_chance_is_the_commonest_value(results):
    assert all(0.5 <= share < 0.5 + BOUND for share in results.chance.values())


def test_the_seed_decides_everything():
    rng = np.random.default_rng(1)
    slices = {"x": rng.normal(size=(1100, 3)).astype(np.float32)}
    targets = {"sign": (slices["x"][:, 0] > 0).astype(np.int64)}
    first, again, other = (read(slices, targets, RANGES, steps=5, seed=seed) for seed in (1, 1, 2))
    assert first.accuracy == again.accuracy
    assert np.array_equal(first.scores["x"], again.scores["x"])
    assert not np.array_equal(first.scores["x"], other.scores["x"])


@pytest.mark.parametrize(
    ("factor", "representation", "expected"),
    [
        ("redundant2", "redundant.a", True),
        ("redundant", "unique.a", False),
        ("unique_a1", "unique.a", True),
        ("unique_b", "unique.a", False),
        ("unique_b", "unique.a,b", True),
        ("synergy", "synergistic.a+b", True),
        ("synergy_ab", "synergistic.a,b", True),
        ("synergy_bc1", "synergistic.a+b", False),
        ("synergy_bc1", "synergistic.b+c", True),
    ],
)
def test_which_bit_belongs_where(factor, representation, expected):
    assert belongs(factor, representation) is expected


def test_keys_are_no_label_bits():
    assert not is_label_bit("key_ab_a")
    assert is_label_bit("synergy_ab")


def test_purity_is_the_least_of_its_own_and_the_greatest_of_the_others():
    accuracy = {"label": 1.0, "redundant1": 0.9, "redundant2": 0.8, "unique_a": 0.6, "key_a": 1.0}
    pure = purity("redundant.a", {**accuracy, "synergy": 0.7})
    assert (pure.own, pure.other, pure.worst) == (0.8, 0.7, "synergy")
    assert purity("unique.b", {"label": 1.0}).own is None
