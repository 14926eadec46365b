import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.config.topology import TOPOLOGY_RULES
from parse_dfl.errors import ConfigError, OverlayError
from parse_dfl.overlays.graph import OverlayWarning, is_connected
from parse_dfl.overlays.topologies import Topology

NAMES = [name for name in TOPOLOGY_RULES if name not in ("file", "own")]
TEXTS = [
    *NAMES,
    "chordal-ring:3",
    "regular:3",
    "erdos-renyi:0.6",
    "small-world:2:0.5",
    "scale-free:1",
]
TEXT = st.sampled_from(TEXTS)
SIZE = st.integers(1, 12)
SEED = st.integers(0, 5)

quick = settings(deadline=None, max_examples=80)


def names(size):
    return [f"agent-{index}" for index in range(size)]


def edges_of(text, members, *, at=0, seed=0, label="acc/backbone"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlayWarning)
        return Topology.of(text).edges(members, round=at, seed=seed, label=label)


def links(text, members, **where):
    edges = edges_of(text, members, **where)
    ends = [(edges.members[a], edges.members[b]) for a, b in edges.pairs]
    return set(ends) if edges.directed else {frozenset(link) for link in ends}


@quick
@given(TEXT, SIZE, SEED, st.integers(0, 20))
def test_pairs_are_distinct_sorted_and_without_loops(text, size, seed, at):
    edges = edges_of(text, names(size), seed=seed, at=at)
    pairs = edges.pairs
    assert pairs.dtype == np.int64
    assert pairs.shape[1] == 2
    assert pairs.tolist() == sorted(pairs.tolist())
    assert np.all(pairs[:, 0] != pairs[:, 1])
    assert edges.directed or np.all(pairs[:, 0] < pairs[:, 1])
    assert len(np.unique(pairs, axis=0)) == len(pairs)


@quick
@given(TEXT, SIZE, SEED, st.integers(0, 5))
def test_the_union_over_a_period_is_connected(text, size, seed, block):
    topology = Topology.of(text)
    period = topology.period(size)
    rounds = range(block * period, (block + 1) * period)
    union = np.concatenate([edges_of(text, names(size), at=t, seed=seed).pairs for t in rounds])
    assert is_connected(union, size)
    assert topology.time_varying or period == 1


@quick
@given(TEXT, SIZE, SEED, st.integers(0, 20), st.randoms())
def test_edges_do_not_depend_on_the_order_of_the_list(text, size, seed, at, random):
    members = names(size)
    shuffled = random.sample(members, size)
    where = {"seed": seed, "at": at}
    assert links(text, shuffled, **where) == links(text, members, **where)


@quick
@given(TEXT, SIZE, SEED, st.integers(1, 20))
def test_edges_are_a_pure_function(text, size, seed, at):
    members = names(size)
    first = links(text, members, seed=seed, at=at)
    assert links(text, members, seed=seed, at=at) == first
    if not Topology.of(text).time_varying:
        assert links(text, members, seed=seed) == first


@pytest.mark.parametrize("text", TEXTS)
def test_one_owner_has_no_edge_and_two_have_one(text):
    assert links(text, ["a"]) == set()
    assert {frozenset(link) for link in links(text, ["a", "b"])} == {frozenset("ab")}


@pytest.mark.parametrize("text", ["regular:4", "erdos-renyi", "random-matching", "ring"])
def test_seeds_and_labels_draw_differently(text):
    members = names(20)
    drawn = [links(text, members, seed=seed, label=label) for seed in (0, 1) for label in "ab"]
    assert all(drawn.count(edges) == 1 for edges in drawn)


@quick
@given(st.integers(1, 12), SEED)
def test_a_newcomer_changes_at_most_three_edges_of_a_ring(size, seed):
    before = links("ring", names(size), seed=seed)
    assert len(before ^ links("ring", names(size + 1), seed=seed)) <= 3


@quick
@given(st.integers(8, 12), SEED)  # of these sizes the first graph is connected
def test_a_newcomer_leaves_an_erdos_renyi_graph_of_the_others(size, seed):
    before = links("erdos-renyi:0.9", names(size), seed=seed)
    after = links("erdos-renyi:0.9", names(size + 1), seed=seed)
    assert {link for link in after if link <= set(names(size))} == before


@pytest.mark.parametrize(
    ("text", "size", "degrees"),
    [
        ("ring", 6, {2}),
        ("chordal-ring", 16, {4}),
        ("chordal-ring:5", 10, {3}),
        ("regular:4", 9, {4}),
        ("exponential", 8, {5}),
        ("one-peer-exponential", 8, {1}),
        ("random-matching", 8, {1}),
        ("random-matching", 7, {0, 1}),
        ("full", 5, {4}),
    ],
)
def test_degrees(text, size, degrees):
    assert set(edges_of(text, names(size)).degrees().tolist()) == degrees


def test_sizes_of_the_random_graphs():
    assert len(edges_of("scale-free:2", names(30)).pairs) == 2 * 28
    assert len(edges_of("small-world:4:0.1", names(30)).pairs) == 60
    assert 380 <= len(edges_of("erdos-renyi:0.1", names(100)).pairs) <= 610  # mean 495, sd 21


def test_one_peer_exponential_doubles_its_distance_each_round():
    members = names(6)
    nexts = [dict(links("one-peer-exponential", members, at=t)) for t in range(4)]
    one, two, four, again = nexts
    assert two == {name: one[one[name]] for name in members}
    assert four == {name: two[two[name]] for name in members}
    assert again == one
    assert Topology.of("one-peer-exponential").period(6) == 3


def test_a_random_matching_is_fresh_each_round():
    rounds = [links("random-matching", names(20), at=t) for t in range(10)]
    assert len({frozenset(matching) for matching in rounds}) == 10


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [
        ("regular:8", 6, "overlay 'b': degree 8 lowered to 5, the largest that its 6 members"),
        ("regular:3", 5, "overlay 'b': degree 3 lowered to 2, the largest that its 5 members"),
        ("small-world:4", 4, "overlay 'b': degree 4 lowered to 2, the largest that its 4"),
        ("scale-free:5", 3, "overlay 'b': number of links 5 lowered to 2, the largest that its 3"),
        ("chordal-ring:6", 9, "overlay 'b': chord 6 lowered to 4, the largest that its 9 members"),
    ],
)
def test_what_is_too_large_is_lowered_with_a_warning(text, size, message):
    with pytest.warns(OverlayWarning, match=message):
        Topology.of(text).edges(names(size), round=0, seed=0, label="b")


def test_defaults_do_not_warn():
    for text in NAMES:
        Topology.of(text).edges(names(8), round=0, seed=0, label="b")


def test_one_that_a_program_handed_over_must_be_given_again():
    with pytest.raises(ConfigError, match="'own:star' was handed over by a program; give it again"):
        Topology.of("own:star")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rign", "unknown topology 'rign'; did you mean 'ring'.*known: .*full.*ring"),
        ("regular:x", "'x' is no degree for topology 'regular:x'; write a number"),
        ("regular:1", "degree of regular must be at least 2, not 1"),
        (
            "erdos-renyi:1.5",
            "probability of erdos-renyi must be at least 0.001 and at most 1, not 1.5",
        ),
        ("erdos-renyi:nan", "'nan' is no probability"),
        ("small-world:3", "degree of small-world must be even, not 3"),
        ("small-world:4:2", "probability of small-world must be at least 0 and at most 1, not 2"),
        ("ring:4", "topology 'ring:4' has too many parameters; it takes no parameter"),
        ("small-world:4:0:1", "too many parameters; it takes degree and probability"),
    ],
)
def test_bad_texts_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        Topology.of(text)


def test_a_random_graph_that_never_connects_is_an_error():
    with pytest.raises(OverlayError, match=r"overlay 'b': none of 20 .*use a probability above"):
        Topology.of("erdos-renyi:0.001").edges(names(600), round=0, seed=0, label="b")


def test_a_name_twice_is_an_error():
    with pytest.raises(OverlayError, match="overlay 'b': agent-0 among its members twice"):
        Topology.of("ring").edges(["agent-0", "x", "agent-0"], round=0, seed=0, label="b")
