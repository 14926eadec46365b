"""What one slice says about another, across modalities and inside one."""

from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.probing.probes import Ranges
from parse_dfl.analysis.probing.relations import dependence, predictability

RANGES = Ranges(fit=slice(0, 500), tune=slice(500, 700), report=slice(700, 1000))


@pytest.fixture(scope="module")
def measured():
    rng = np.random.default_rng(0)
    label = np.arange(1000) % 4
    x = rng.normal(size=(1000, 4)).astype(np.float32)
    by_label = rng.normal(size=(4, 3))[label]
    noise = 0.3 * rng.normal(size=(1000, 3))
    pairs = {
        "linear": (x, (x @ rng.normal(size=(4, 6))).astype(np.float32)),
        "curved": (x, (x[:, :1] ** 2).astype(np.float32)),
        "nothing": (x, rng.normal(size=(1000, 5)).astype(np.float32)),
        "constant": (x, np.ones((1000, 2), np.float32)),
        "label": (
            (by_label - noise[::-1]).astype(np.float32),
            (by_label + noise).astype(np.float32),
        ),
    }
    return predictability(pairs, label, RANGES, steps=120)


def test_what_is_a_function_of_the_other_is_predicted(measured):
    assert measured["linear"].ridge == pytest.approx(1, abs=1e-3)
    assert measured["linear"].mlp > 0.95
    assert measured["linear"].beyond_label > 0.95


def test_a_curve_is_seen_by_the_network_alone(measured):
    assert measured["curved"].ridge < 0.1
    assert measured["curved"].mlp > 0.6


@pytest.mark.parametrize("name", ["nothing", "constant"])
def test_independent_slices_predict_nothing(measured, name):
    assert measured[name].ridge == pytest.approx(0, abs=0.03)
    assert measured[name].mlp == pytest.approx(0, abs=0.03)


def test_what_only_the_label_brings_is_gone_within_classes(measured):
    assert measured["label"].ridge > 0.7
    assert measured["label"].beyond_label == pytest.approx(0, abs=0.03)


RNG = np.random.default_rng(0)
LABEL = np.arange(300) % 3
NOISE = RNG.normal(size=(2, 300, 2)).astype(np.float32)
BY_LABEL = np.float32([[0, 0], [5, 0], [0, 5]])[LABEL]


def test_a_slice_depends_on_itself_and_not_on_another_draw():
    same = dependence(NOISE[0], NOISE[0], LABEL)
    assert same.alignment == pytest.approx(1)
    assert same.chance < 0.2
    apart = dependence(NOISE[0], NOISE[1], LABEL)
    assert apart.alignment < apart.chance + 0.01


def test_the_label_in_common_explains_slices_that_share_nothing_else():
    measured = dependence(BY_LABEL + NOISE[0], BY_LABEL + NOISE[1], LABEL)
    assert measured.alignment > 5 * measured.chance
    assert measured.alignment == pytest.approx(measured.by_label, abs=0.02)


def test_a_slice_that_holds_nothing_is_aligned_with_nothing():
    assert dependence(np.zeros((300, 2), np.float32), NOISE[0], LABEL).alignment == 0
