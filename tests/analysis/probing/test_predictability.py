from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.probing.parts import Places
from parse_dfl.analysis.probing.predictability import predictability

PLACES = Places(fit=slice(0, 500), tune=slice(500, 700), report=slice(700, 1000))


@pytest.fixture(scope="module")
def found():
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
    return predictability(pairs, label, PLACES, steps=120)


def test_what_is_a_function_of_the_other_is_predicted(found):
    assert found["linear"].ridge == pytest.approx(1, abs=1e-3)
    assert found["linear"].mlp > 0.95
    assert found["linear"].beyond_label > 0.95


def test_a_curve_is_seen_by_the_network_alone(found):
    assert found["curved"].ridge < 0.1
    assert found["curved"].mlp > 0.6


@pytest.mark.parametrize("name", ["nothing", "constant"])
def test_independent_slices_predict_nothing(found, name):
    assert found[name].ridge == pytest.approx(0, abs=0.03)
    assert found[name].mlp == pytest.approx(0, abs=0.03)


def test_what_only_the_label_brings_is_gone_within_classes(found):
    assert found["label"].ridge > 0.7
    assert found["label"].beyond_label == pytest.approx(0, abs=0.03)
