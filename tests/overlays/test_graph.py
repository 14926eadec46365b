"""Tests."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.errors import OverlayError
from parse_dfl.overlays.graph import (
    NO_PAIRS,
    Edges,
    OverlayWarning,
    canonicalize,
    is_connected,
    order,
    ranking,
)
from parse_dfl.overlays.topologies import Topology


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


@pytest.fixture
def graph_file(tmp_path):
    def write(text):
        path = tmp_path / "graph.txt"
        path.write_text(text)
        return f"file:{path}"

    return write


def links(topology, members):
    edges = topology.edges(members, round=0, seed=0, label="acc/backbone")
    return {frozenset((members[a], members[b])) for a, b in edges.pairs}


def test_a_file_is_read_with_comments_and_repeats(graph_file):
    topology = Topology.of(graph_file("# who knows whom\na b\n\nb c  # again below\nc b\na a\n"))
    assert links(topology, ["c", "b", "a"]) == {frozenset("ab"), frozenset("bc")}
    assert topology.name.startswith("file:")
    assert not topology.time_varying


def test_a_branch_sees_the_links_between_its_owners(graph_file):
    topology = Topology.of(graph_file("a b\nb c\nc d\n"))
    assert links(topology, ["b", "a"]) == {frozenset("ab")}
    assert links(topology, ["c"]) == set()


def test_owners_that_are_cut_off_are_named_in_a_warning(graph_file):
    topology = Topology.of(graph_file("a b\nb c\n"))
    message = r"overlay 'acc/backbone': graph file .* 2 owners in 2 separate parts; no way leads"
    with pytest.warns(OverlayWarning, match=message):
        assert links(topology, ["a", "c"]) == set()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\nc d\na e\n", "is not connected: it falls into 2 parts, cut off from most are c, d"),
        ("a b c\n", "line 1: invalid edge 'a b c'; expected two names"),
        ("# nobody\n", "holds no edge"),
    ],
)
def test_bad_files_are_refused(graph_file, text, message):
    with pytest.raises(OverlayError, match=message):
        Topology.of(graph_file(text))


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(OverlayError, match=r"cannot read graph file .*: No such file"):
        Topology.of(f"file:{tmp_path / 'none'}")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OverlayError, match="it is not text in UTF-8"):
        Topology.of(f"file:{tmp_path / 'binary'}")


def test_a_graph_must_be_one_over_the_agents_of_the_run(graph_file):
    topology = Topology.of(graph_file("acc-0 acc-1\nacc-1 acc-2\n"))
    topology.check(["acc-0", "acc-1", "acc-2"])
    with pytest.raises(OverlayError, match=r"unknown agents acc-2; did you mean .*known: "):
        topology.check(["acc-0", "acc-1"])
    with pytest.raises(OverlayError, match="is not connected: no edge for acc-3"):
        topology.check(["acc-0", "acc-1", "acc-2", "acc-3"])
    Topology.of("ring").check(["anyone"])


def test_long_lists_of_names_are_cut(graph_file):
    star = "".join(f"hub agent-{index:02}\n" for index in range(12))
    with pytest.raises(OverlayError, match=r"agent-07 and 4 more; known: hub"):
        Topology.of(graph_file(star)).check(["hub"])


def test_a_networkx_graph_is_used_by_its_nodes_names():
    topology = Topology.of(nx.path_graph(["a", "b", "c"]))
    assert links(topology, ["a", "b", "c"]) == {frozenset("ab"), frozenset("bc")}


def test_bad_networkx_graphs_are_refused():
    apart = nx.Graph([("a", "b")], name="mine")
    apart.add_node("c")
    with pytest.raises(OverlayError, match=r"'mine' is not connected.*cut off from most are c"):
        Topology.of(apart)
    with pytest.raises(OverlayError, match=r"is directed; give graph\.to_undirected"):
        Topology.of(nx.DiGraph([("a", "b")]))
    with pytest.raises(OverlayError, match="holds no edge"):
        Topology.of(nx.Graph())
