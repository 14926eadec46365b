"""Tests."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.agents import AgentMix
from parse_dfl.config import SampleCounts
from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.partition import partition, shard_sizes
from parse_dfl.errors import ConfigError, DataError

AGENTS = AgentMix.from_string("acc=2,acc+gyro=3").agents()


def sizes(request, agents=AGENTS, seed=0):
    return shard_sizes(agents, SampleCounts.of(request), np.random.default_rng(seed)).tolist()


def test_one_number():
    assert sizes(64) == sizes("64") == [64] * 5


def test_per_modality_set():
    assert sizes("acc=64, gyro+acc=32") == [64, 64, 32, 32, 32]


def test_range_is_drawn_log_uniformly():
    drawn = np.array(sizes("16..128", AgentMix.from_string("m=4000").agents()))
    assert (drawn.min(), drawn.max()) == (16, 128)
    assert abs(np.log2(drawn).mean() - 5.5) < 0.1
    assert sizes("16..128") == sizes("16..128") != sizes("16..128", seed=1)


def test_range_per_modality_set():
    drawn = sizes("acc=1..3,acc+gyro=7")
    assert set(drawn[:2]) <= {1, 2, 3}
    assert drawn[2:] == [7] * 3


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("many", "cannot read samples per agent 'many'; write 64"),
        ("8..", r"cannot read samples per agent '8\.\.'"),
        ("0", "must be 1 or more"),
        (-4, "must be 1 or more"),
        ("9..3", "smaller bound first"),
        ("acc=64", r"says nothing about acc\+gyro"),
        ("acc=64,gyo=3", "no agent has the modality set 'gyo'"),
        ("acc=64,32", "cannot read samples per agent 'acc=64,32'"),
    ],
)
def test_bad_requests(request_, message):
    with pytest.raises(ConfigError, match=message):
        sizes(request_)


DATA = from_mapping(
    "mine", {"m": np.arange(600)}, np.arange(600) % 6, subject=np.arange(600) // 6 % 20
)
POOL = np.arange(100, 600)
PARTITION_AGENTS = AgentMix.from_string("a=2,a+b=3").agents()


def assert_sound(shards, pool):
    for shard in shards:
        assert (np.diff(shard) > 0).all()  # ascending, so none twice
        assert np.isin(shard, pool).all()


def test_iid_shards_are_disjoint_and_of_the_default_size():
    shards = partition(DATA, POOL, PARTITION_AGENTS)
    assert [len(shard) for shard in shards] == [64] * 5
    assert_sound(shards, POOL)
    assert len(np.unique(np.concatenate(shards))) == 5 * 64


def test_default_size_is_an_equal_share_where_data_are_scarce():
    shards = partition(DATA, POOL[:53], PARTITION_AGENTS, "dirichlet:0.3")
    assert [len(shard) for shard in shards] == [10] * 5


@settings(deadline=None, max_examples=60)
@given(
    alpha=st.sampled_from(["1e-300", "0.01", "0.1", "1", "1000"]),
    size=st.integers(1, 40),
    seed=st.integers(-5, 5),
)
def test_dirichlet_gives_the_asked_size_without_repeats(alpha, size, seed):
    pool = POOL[:40]
    shards = partition(DATA, pool, PARTITION_AGENTS, f"dirichlet:{alpha}", size, seed)
    assert [len(shard) for shard in shards] == [size] * 5
    assert_sound(shards, pool)


def test_dirichlet_skews_more_the_smaller_alpha_is():
    def largest_share(alpha):
        shards = partition(
            DATA, POOL, AgentMix.from_string("a=30").agents(), f"dirichlet:{alpha}", 30
        )
        return np.mean([np.bincount(DATA.label[shard]).max() / 30 for shard in shards])

    assert largest_share(0.05) > 0.8
    assert largest_share(1000) < 0.35


def test_dirichlet_shards_overlap_only_once_a_class_has_run_out():
    shards = partition(DATA, POOL, PARTITION_AGENTS, "dirichlet:0.5", 60, 3)
    used = np.concatenate(shards)
    for label in range(6):
        of_class = used[DATA.label[used] == label]
        stock = (DATA.label[POOL] == label).sum()
        assert len(np.unique(of_class)) == min(len(of_class), stock)


def test_subjects_are_dealt_whole_and_round_robin():
    shards = partition(DATA, POOL, PARTITION_AGENTS, "subject")
    assert_sound(shards, POOL)
    owned = [set(DATA.subject[shard]) for shard in shards]
    assert [len(subjects) for subjects in owned] == [4] * 5
    assert len(set.union(*owned)) == 20
    assert sum(len(shard) for shard in shards) == len(POOL)


def test_subject_shards_are_capped_where_asked():
    shards = partition(DATA, POOL, PARTITION_AGENTS, "subject", "a=10,a+b=20")
    assert [len(shard) for shard in shards] == [10, 10, 20, 20, 20]
    assert_sound(shards, POOL)


@pytest.mark.parametrize("scheme", ["iid", "dirichlet:0.3", "subject"])
def test_shards_follow_from_the_seed(scheme):
    one, same, other = (
        partition(DATA, POOL, PARTITION_AGENTS, scheme, 16, seed) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_unequal_sizes():
    shards = partition(DATA, POOL, PARTITION_AGENTS, "iid", "8..90")
    assert len({len(shard) for shard in shards}) > 1
    assert len(np.unique(np.concatenate(shards))) == sum(len(shard) for shard in shards)


def test_ten_thousand_agents_take_no_more_than_seconds():
    began = time.perf_counter()
    shards = partition(
        DATA, POOL, AgentMix.from_string("a=10000").agents(), "dirichlet:0.3", "16..64"
    )
    assert time.perf_counter() - began < 5
    assert len(shards) == 10_000


@pytest.mark.parametrize(
    ("scheme", "samples", "message"),
    [
        ("iid", 101, "5 agents ask for 505 samples in all, but .* has 500, 100 an agent"),
        ("dirichlet:0.3", 501, "an agent asks for 501 samples, but .* has 500"),
        ("subject", 200, "agent 'a-0' asks for 200 samples, but its subjects have"),
    ],
)
def test_more_samples_than_there_are(scheme, samples, message):
    with pytest.raises(DataError, match=message):
        partition(DATA, POOL, PARTITION_AGENTS, scheme, samples)


def test_more_agents_than_samples_or_subjects():
    with pytest.raises(DataError, match="5 agents cannot share 3 training samples"):
        partition(DATA, POOL[:3], PARTITION_AGENTS)
    with pytest.raises(DataError, match="21 agents cannot share 20 subjects"):
        partition(DATA, POOL, AgentMix.from_string("a=21").agents(), "subject")
    with pytest.raises(DataError, match="no agents"):
        partition(DATA, POOL, [])


def test_no_subjects_to_deal():
    data = from_mapping("mine", {"m": np.arange(4)}, [0, 1, 0, 1])
    with pytest.raises(DataError, match="'mine' has no subjects to deal"):
        partition(data, np.arange(4), PARTITION_AGENTS, "subject")


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("idd", "unknown partition 'idd'; did you mean 'iid'"),
        ("iid:3", "unknown partition 'iid:3'"),
        ("dirichlet", "'dirichlet' needs a concentration above 0"),
        ("dirichlet:-1", "'dirichlet:-1' needs a concentration above 0"),
        ("dirichlet:inf", "needs a concentration"),
    ],
)
def test_unreadable_schemes(scheme, message):
    with pytest.raises(ConfigError, match=message):
        partition(DATA, POOL, PARTITION_AGENTS, scheme)
