import numpy as np
import pytest

from parse_dfl.overlays.edges import NO_PAIRS, Edges, is_connected, tidy


def test_tidy_turns_sorts_and_drops_loops_and_repeats():
    pairs = np.array([[2, 1], [0, 0], [1, 2], [0, 1]])
    assert tidy(pairs).tolist() == [[0, 1], [1, 2]]
    assert tidy(pairs, directed=True).tolist() == [[0, 1], [1, 2], [2, 1]]


def test_degrees_count_neighbours_or_senders():
    pairs = np.array([[0, 1], [1, 2]])
    assert Edges(("a", "b", "c", "d"), pairs).degrees().tolist() == [1, 2, 1, 0]
    assert Edges(("a", "b", "c"), pairs, directed=True).degrees().tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("pairs", "size", "connected"),
    [
        (NO_PAIRS, 0, True),
        (NO_PAIRS, 1, True),
        (NO_PAIRS, 2, False),
        (np.array([[0, 1], [1, 2]]), 3, True),
        (np.array([[0, 1], [2, 3], [0, 1]]), 4, False),
    ],
)
def test_is_connected(pairs, size, connected):
    assert is_connected(pairs, size) is connected
