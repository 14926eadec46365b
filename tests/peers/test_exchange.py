from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.overlays.graph import Edges
from parse_dfl.overlays.mixing_matrix import metropolis
from parse_dfl.peers.exchange import End, average_in_place, local_mixing

ENDS = st.builds(
    End,
    degree=st.integers(0, 50),
    samples=st.integers(1, 10_000),
    discount=st.floats(0, 1),
)


@given(st.integers(1, 20), st.integers(1, 1000), st.data(), st.booleans(), st.booleans())
def test_the_own_row_sums_to_one_whatever_arrived(degree, samples, data, by_samples, both_ways):
    own = End(degree=degree, samples=samples)
    others = data.draw(st.lists(ENDS, max_size=degree))
    mixing = local_mixing(own, others, by_samples=by_samples, both_ways=both_ways)
    row = mixing.dense()[0]
    assert row.sum() == pytest.approx(1)
    assert (row >= -1e-12).all()


@pytest.mark.parametrize("by_samples", [False, True])
def test_it_is_the_simulators_row(by_samples):
    pairs = np.array([[0, 1], [0, 2], [1, 2], [2, 3]])
    edges, samples = Edges(("a", "b", "c", "d"), pairs), np.array([10, 20, 5, 40])
    degrees = edges.degrees()
    whole = metropolis(edges, samples=samples if by_samples else None).dense()
    ends = [End(degree=int(degrees[i]), samples=int(samples[i])) for i in range(4)]
    row = local_mixing(ends[2], [ends[0], ends[1], ends[3]], by_samples=by_samples).dense()[0]
    np.testing.assert_allclose(row, whole[2][[2, 0, 1, 3]])


def test_half_of_a_directed_neighbour_and_less_of_a_stale_one():
    own, other = End(degree=1, samples=1), End(degree=1, samples=1, discount=0.5)
    assert local_mixing(own, [other], directed=True).dense()[0].tolist() == [0.75, 0.25]


def test_both_ways_the_own_edges_stand_first():
    end = End(degree=2, samples=1)
    mixing = local_mixing(end, [end, end], both_ways=True)
    assert mixing.source.tolist() == [0, 0, 1, 2]
    assert mixing.target.tolist() == [1, 2, 0, 0]


@pytest.mark.parametrize("both_ways", [False, True])
@given(st.lists(ENDS, min_size=1, max_size=5))
def test_the_average_in_place_is_the_first_row_of_the_product(both_ways, ends):
    rows = torch.arange(1.0, 4 * len(ends) + 5, dtype=torch.float64).reshape(-1, 4)
    mixing = local_mixing(End(degree=5, samples=1), ends, both_ways=both_ways)
    expected = torch.from_numpy(mixing.dense()) @ rows
    own = rows[:1].clone()
    average_in_place(own, list(rows[1:]), mixing)
    torch.testing.assert_close(own, expected[:1])
