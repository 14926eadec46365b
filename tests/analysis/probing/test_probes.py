from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.probing.parts import Places
from parse_dfl.analysis.probing.probes import read

PLACES = Places(fit=slice(0, 500), tune=slice(500, 700), report=slice(700, 1100))
BOUND = 4 * np.sqrt(0.25 / 400)
"""Four standard errors of a fair coin over the reported samples."""


@pytest.fixture(scope="module")
def readings():
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
    return read(slices, targets, PLACES, steps=120)


@pytest.mark.parametrize(
    ("name", "held"),
    [("holds first", {"first"}), ("holds both", {"first", "second", "xor"}), ("holds nothing", {})],
)
def test_what_a_slice_holds_is_read_and_nothing_else(readings, name, held):
    for target, accuracy in readings.accuracy[name].items():
        if target in held:
            assert accuracy > 0.98
        else:
            assert accuracy == pytest.approx(0.5, abs=BOUND)


def test_chance_is_the_commonest_value(readings):
    assert all(0.5 <= share < 0.5 + BOUND for share in readings.chance.values())


def test_the_seed_decides_everything():
    rng = np.random.default_rng(1)
    slices = {"x": rng.normal(size=(1100, 3)).astype(np.float32)}
    targets = {"sign": (slices["x"][:, 0] > 0).astype(np.int64)}
    first, again, other = (read(slices, targets, PLACES, steps=5, seed=seed) for seed in (1, 1, 2))
    assert first.accuracy == again.accuracy
    assert np.array_equal(first.scores["x"], again.scores["x"])
    assert not np.array_equal(first.scores["x"], other.scores["x"])
