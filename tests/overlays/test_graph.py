"""Tests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.overlays.graph import NO_PAIRS, Edges, canonicalize, is_connected, order, ranking


def test_tidy_turns_sorts_and_drops_loops_and_repeats():
    pairs = np.array([[2, 1], [0, 0], [1, 2], [0, 1]])
    assert canonicalize(pairs).tolist() == [[0, 1], [1, 2]]
    assert canonicalize(pairs, directed=True).tolist() == [[0, 1], [1, 2], [2, 1]]


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


FROZEN = ["acc-1", "acc-2", "acc-0"]
NAMES = st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=12)


@settings(deadline=None)
@given(NAMES, st.randoms())
def test_the_order_does_not_depend_on_how_members_are_listed(names, random):
    shuffled = random.sample(names, len(names))
    assert order(shuffled, seed=1, label="a") == order(names, seed=1, label="a")
    assert sorted(order(names, seed=1, label="a")) == sorted(names)


@settings(deadline=None)
@given(NAMES.filter(bool))
def test_a_newcomer_leaves_the_order_of_the_others(names):
    newcomer, *others = names
    after = [name for name in order(names, seed=0, label="a") if name != newcomer]
    assert after == order(others, seed=0, label="a")


def test_seeds_and_labels_order_differently():
    names = [f"acc-{index}" for index in range(20)]
    orders = {tuple(order(names, seed=seed, label=label)) for seed in (0, 1) for label in "ab"}
    assert len(orders) == 4


def test_the_order_is_the_same_on_every_machine():
    assert order(["acc-0", "acc-1", "acc-2"], seed=0, label="acc/backbone") == FROZEN
    assert ranking(["acc-0"], seed=0, label="").tolist() == [0]
