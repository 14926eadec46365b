from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.analysis.probing.stacked_mlp import standardised


@pytest.mark.parametrize("unit", [1e-20, 1e-7, 1.0, 1e20])
def test_slices_are_standardised_whatever_their_size(unit):
    values = np.random.default_rng(0).normal(3, 2, (60, 4)).astype(np.float32)
    values[:, 2] = 5
    found = standardised(values * np.float32(unit), slice(40))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, standardised(values, slice(40)), atol=1e-4)
    np.testing.assert_allclose(found[:40, [0, 1, 3]].std(axis=0), 1, rtol=1e-4)
    assert not found[:, 2].any()
