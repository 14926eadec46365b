from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.probing.dependence import dependence

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
    found = dependence(BY_LABEL + NOISE[0], BY_LABEL + NOISE[1], LABEL)
    assert found.alignment > 5 * found.chance
    assert found.alignment == pytest.approx(found.by_label, abs=0.02)


def test_a_slice_that_holds_nothing_is_aligned_with_nothing():
    assert dependence(np.zeros((300, 2), np.float32), NOISE[0], LABEL).alignment == 0
