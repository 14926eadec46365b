from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.branches import Branch
from parse_dfl.errors import ConfigError
from parse_dfl.methods.exchange import AVERAGE, Average
from parse_dfl.methods.method import Method, Stage
from parse_dfl.methods.sharing import nothing
from parse_dfl.networks.monolithic import MonolithicNetwork
from parse_dfl.objectives import joint_loss
from tests.federation import agent


def stage(share=1.0, **more):
    return Stage(objective=joint_loss, sharing=nothing, share=share, **more)


def method(*shares):
    stages = tuple(stage(share) for share in shares)
    return Method(name="own", network=MonolithicNetwork, stages=stages)


@given(st.integers(40, 100), st.lists(st.floats(0.5, 3), min_size=1, max_size=4))
def test_stages_follow_each_other_and_fill_all_rounds(rounds, shares):
    own = method(*shares)
    bounds = own.stage_bounds(rounds)
    assert bounds[0][0] == 1
    assert bounds[-1][1] == rounds
    assert all(begin == end + 1 for (_, end), (begin, _) in pairwise(bounds))
    for round in range(1, rounds + 1):
        first, last = bounds[own.stage_at(round, rounds)]
        assert first <= round <= last


def test_shares_are_shares_of_the_rounds():
    assert method(1.0).stage_bounds(10) == [(1, 10)]
    assert method(0.7, 0.3).stage_bounds(10) == [(1, 7), (8, 10)]
    assert method(3, 1).stage_bounds(8) == [(1, 6), (7, 8)]


def test_rounds_that_are_too_few_for_the_stages_are_refused():
    with pytest.raises(ConfigError, match="1 rounds are too few for the 2 stages of own"):
        method(1, 1).stage_bounds(1)


def test_a_stage_averages_and_learns_at_the_full_rate_unless_it_says_otherwise():
    rule, branch = Average(), Branch("a", "head", "0")
    assert stage().exchange(branch) is AVERAGE
    assert stage(exchanges={"head": rule}).exchange(branch) is rule
    assert stage().rate(branch, agent("a")) == 1.0
