"""Tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.overlays.mixing_matrix import MixingMatrix, metropolis
from parse_dfl.overlays.topologies import Topology
from parse_dfl.ranks.halo_exchange import Halo, RowExchange, RowTransfer, insert_blocks


class Echo:
    """A neighbour that owns the same: what is sent to it comes back."""

    def __init__(self):
        self.messages = []

    def exchange(self, outgoing, incoming):
        self.messages.append({rank: len(value) for rank, value in outgoing.items()})
        for rank, value in outgoing.items():
            incoming[rank].copy_(value)


def transfer(value, **rows):
    sent = {int(rank[1:]): np.array(own) for rank, own in rows.items()}
    return RowTransfer(value, sent, {rank: len(own) for rank, own in sent.items()})


def test_rows_of_several_dtypes_and_shapes_travel_in_one_message_a_rank():
    narrow = torch.arange(6, dtype=torch.float32).view(6, 1)
    wide = torch.arange(24, dtype=torch.float64).view(3, 2, 4)
    echo = Echo()
    first, second = RowExchange(echo).run(
        [transfer(narrow, r1=[4, 0, 2], r5=[1]), transfer(wide, r1=[2])]
    )
    assert echo.messages == [{1: 16 + 64, 5: 16}]
    assert torch.equal(first[1], narrow[[4, 0, 2]])
    assert torch.equal(first[5], narrow[[1]])
    assert torch.equal(second[1], wide[[2]])


def test_rows_without_numbers_cross_as_nothing():
    echo = Echo()
    (arrived,) = RowExchange(echo).run([transfer(torch.zeros(3, 0), r1=[0, 2])])
    assert echo.messages == [{}]
    assert arrived[1].shape == (2, 0)


def test_nothing_to_send_is_no_message():
    echo = Echo()
    assert RowExchange(echo).run([]) == []
    assert echo.messages == [{}]


def test_buffers_are_kept_and_grow_where_more_must_cross():
    value = torch.arange(40, dtype=torch.float32).view(10, 4)
    echo = Echo()
    rows = RowExchange(echo)
    first = rows.run([transfer(value, r1=[0, 1])])[0][1]
    few = rows.run([transfer(value, r1=[2])])[0][1]
    assert few.data_ptr() == first.data_ptr()
    assert torch.equal(few, value[[2]])
    many = rows.run([transfer(value, r1=[9, 3, 4])])[0][1]
    assert torch.equal(many, value[[9, 3, 4]])
    assert echo.messages == [{1: 32}, {1: 16}, {1: 48}]


def test_what_arrived_is_put_in_its_places():
    local = insert_blocks(torch.zeros(4, 1), {7: torch.ones(2, 1)}, {7: np.array([3, 1])})
    assert local.flatten().tolist() == [0, 1, 0, 1]


TOPOLOGIES = ("ring", "full", "chordal-ring", "exponential", "one-peer-exponential")


def mixing_of(topology, size, absent=()):
    members = [f"m{i}" for i in range(size)]
    edges = Topology.of(topology).edges(members, round=1, seed=0, label="x")
    away = np.isin(np.arange(size), list(absent))
    return metropolis(edges).drop_nodes(away)


def halos_of(mixing, home):
    return [Halo(mixing, home, rank) for rank in range(int(home.max()) + 1)]


def delivered(matrix, home, halos, rank):
    """What arrives at a rank, from each of the others."""
    return {
        other: matrix[np.flatnonzero(home == other)[halos[other].sent_rows[rank]]]
        for other in halos[rank].arriving_rows
    }


@given(
    st.sampled_from(TOPOLOGIES),
    st.lists(st.integers(0, 3), min_size=2, max_size=12),
    st.sets(st.integers(0, 11), max_size=3),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_ranks_mix_to_the_same_bits_as_one_process(topology, home, absent, dtype):
    home, mixing = np.array(home), mixing_of(topology, len(home), absent)
    noise = torch.Generator().manual_seed(0)
    matrix = torch.randn(len(home), 37, generator=noise, dtype=dtype)
    whole, halos = mixing.apply(matrix), halos_of(mixing, home)
    for rank, halo in enumerate(halos):
        own = matrix[home == rank].clone()
        for mix in halo.column_blocks(own, delivered(matrix, home, halos, rank)):
            mix()
        assert torch.equal(own, whole[home == rank])


@given(st.sampled_from(TOPOLOGIES), st.lists(st.integers(0, 3), min_size=2, max_size=12))
def test_what_one_rank_sends_another_awaits(topology, home):
    home = np.array(home)
    halos = halos_of(mixing_of(topology, len(home)), home)
    for rank, halo in enumerate(halos):
        for other in range(len(halos)):
            for sent, arriving in (
                ("sent_rows", "arriving_rows"),
                ("sent_edges", "arriving_edges"),
            ):
                leaves = getattr(halo, sent).get(other, [])
                comes = getattr(halos[other], arriving).get(rank, [])
                assert len(leaves) == len(comes)


def test_only_the_rows_at_the_border_cross():
    home = np.repeat([0, 1], 10)
    source = np.concatenate([np.arange(20), np.roll(np.arange(20), -1)])
    target = np.concatenate([np.roll(np.arange(20), -1), np.arange(20)])
    mixing = MixingMatrix.of(source, target, np.full(40, 1 / 3), size=20)
    first, second = halos_of(mixing, home)
    assert first.sent_rows[1].tolist() == [0, 9]
    assert first.rows[first.arriving_rows[1]].tolist() == [10, 19]
    assert second.rows[second.arriving_rows[0]].tolist() == [0, 9]


@pytest.mark.parametrize("topology", ["ring", "full"])
def test_local_mixings_have_the_rows_of_the_whole(topology):
    home = np.array([0, 1, 0, 2, 1, 0])
    mixing = mixing_of(topology, 6)
    for halo in halos_of(mixing, home):
        dense = mixing.dense()[np.ix_(halo.rows, halo.rows)]
        for local in (halo.inward, halo.both_ways):
            assert np.array_equal(local.dense()[halo.own_rows], dense[halo.own_rows])
            assert np.allclose(local.dense().sum(1), 1)
