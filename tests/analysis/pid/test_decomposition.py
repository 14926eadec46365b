from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.analysis.pid.decomposition import Information, entropy, mutual_information

bits = st.floats(-0.5, 3, allow_nan=False)


def test_entropy_and_mutual_information_are_in_bits():
    assert entropy(np.full((2, 4), 1 / 8)) == pytest.approx(3)
    assert mutual_information(np.eye(4) / 4) == pytest.approx(2)
    assert mutual_information(np.full((4, 4), 1 / 16)) == pytest.approx(0)


@given(bits, bits, bits, bits)
def test_no_atom_is_negative_and_the_single_sums_hold(first, second, union, joint):
    atoms = Information(first, second, union, joint).atoms()
    assert min(atoms) >= -1e-12
    assert atoms.redundant + atoms.unique_first == pytest.approx(max(first, 0))
    assert atoms.redundant + atoms.unique_second == pytest.approx(max(second, 0))
    assert sum(atoms) >= joint - 1e-12
