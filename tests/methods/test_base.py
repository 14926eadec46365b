"""Tests."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.agents import AgentSpec, pairs
from parse_dfl.branches import Branch
from parse_dfl.config.methods import SHARING_RULES
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import AVERAGE, RULES, Average, Method, Stage, nothing
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.baselines import MonolithicNetwork
from parse_dfl.networks.losses import joint_loss
from tests.federation import GivenRows, agent, mixing_over, tiny_blueprint


def test_averaging_is_the_product_with_the_mixing_matrix():
    theta = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows, mixing = GivenRows(theta), mixing_over(5)
    sent = AVERAGE.send(rows, mixing)
    assert set(sent) == {"theta"}
    expected = torch.from_numpy(mixing.dense()) @ theta
    torch.testing.assert_close(AVERAGE.receive(rows, sent, mixing), expected)


def test_averaging_sends_the_parameters_and_needs_no_snapshot():
    assert AVERAGE.numbers_sent(12) == 12
    assert not AVERAGE.needs_previous


def test_what_receives_otherwise_does_not_count_as_averaging():
    class Keep(Average):
        def receive(self, rows, sent, mixing):
            return rows.params

    assert AVERAGE.averages
    assert not Keep().averages


def stage(fraction=1.0, **more):
    return Stage(objective=joint_loss, sharing=nothing, fraction=fraction, **more)


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
    assert stage().lr_scale(branch, agent("a")) == 1.0


METHODS = [
    "parse", "dsgd-hybrid", "harmony", "sheaf-dmfl", "gradient-surgery", "oracle",
    *(f"parse@{rule}" for rule in SHARING_RULES),
]  # fmt: skip
SETS = st.frozensets(st.sampled_from("abc"), min_size=1).map(lambda names: tuple(sorted(names)))
FEDERATIONS = st.lists(SETS, min_size=1, max_size=5).map(
    lambda sets: [AgentSpec(name=str(i), modalities=owned) for i, owned in enumerate(sets)]
)


def labels(method, modalities, stage=0):
    """Branch label → overlay label of one agent, without what it keeps to itself."""
    method, who = build_method(method), agent(modalities)
    branches = method.network(tiny_blueprint(), who).branches
    found = {name: method.stages[stage].sharing(own, who) for name, own in branches.items()}
    return {name: label for name, label in found.items() if label is not None}


def overlays(method, agents):
    """(stage, branch, overlay label) → the agents that exchange it."""
    found = {}
    for who in agents:
        for branch in method.network(tiny_blueprint(), who).branches.values():
            for number, stage in enumerate(method.stages):
                label = stage.sharing(branch, who)
                if label is not None:
                    found.setdefault((number, branch, label), []).append(who)
    return found


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=15, deadline=None)
@given(agents=FEDERATIONS)
def test_whoever_exchanges_a_branch_owns_its_modalities(name, agents):
    for (_, branch, _), members in overlays(build_method(name), agents).items():
        if branch.modality != "any":
            needed = set(branch.modality.split("+"))
            assert all(needed <= set(who.modalities) for who in members)


@settings(max_examples=15, deadline=None)
@given(agents=FEDERATIONS)
def test_parse_shares_each_branch_among_all_its_owners(agents):
    method = build_method("parse")
    found = {
        branch.label: (label, {who.name for who in members})
        for (_, branch, label), members in overlays(method, agents).items()
    }
    expected = {"any/redundant": ("any", {who.name for who in agents})}
    for name in {name for who in agents for name in who.modalities}:
        owners = {who.name for who in agents if name in who.modalities}
        expected |= {f"{name}/backbone": (name, owners), f"{name}/unique": (name, owners)}
        if several := {who.name for who in agents if {name} < set(who.modalities)}:
            expected[f"{name}/gate"] = (name, several)
    for pair in {pair for who in agents for pair in pairs(who.modalities)}:
        owners = {who.name for who in agents if set(pair) <= set(who.modalities)}
        for component in ("synergy", "gate"):
            expected["+".join(pair) + f"/{component}"] = ("+".join(pair), owners)
    assert found == expected


@pytest.mark.parametrize("rule", SHARING_RULES)
def test_unimodal_agents_never_own_synergy_under_any_rule(rule):
    assert not any("synergy" in name for name in labels(f"parse@{rule}", "a"))


def test_the_rules_on_the_monolithic_network_are_those_of_the_table():
    assert labels("local", "a+b") == {}
    assert labels("dsgd-task", "a+b") == dict.fromkeys(
        ["a/encoder", "b/encoder", "a+b/fusion", "any/head"], "set:a+b"
    )
    encoders = {"a/encoder": "a", "b/encoder": "b"}
    assert labels("dsgd-modality", "a+b") == encoders
    rest = {"a+b/fusion": "set:a+b", "any/head": "set:a+b"}
    assert labels("dsgd-hybrid", "a+b") == labels("gradient-surgery", "a+b") == encoders | rest
    assert labels("sheaf-dmfl", "a+b") == encoders | {"any/head": "heads"}


def test_the_rules_on_the_parse_network_are_the_control():
    encoders = {"a/backbone": "a", "b/backbone": "b"}
    heads = ["a/unique", "b/unique", "any/redundant", "a+b/synergy"]
    heads += ["a/gate", "b/gate", "a+b/gate"]
    assert labels("parse@local", "a+b") == {}
    assert labels("parse@modality", "a+b") == encoders
    assert labels("parse@hybrid", "a+b") == encoders | dict.fromkeys(heads, "set:a+b")
    assert labels("parse@task", "a+b") == dict.fromkeys([*encoders, *heads], "set:a+b")
    assert labels("oracle", "a+b") == {}


def test_every_rule_that_a_name_stands_for_exists():
    assert set(SHARING_RULES.values()) == set(RULES)
