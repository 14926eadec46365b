from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.agents import AgentSpec
from parse_dfl.methods.names import RULES as NAMED
from parse_dfl.methods.registry import build_method
from parse_dfl.methods.sharing import RULES
from parse_dfl.modalities import pairs
from tests.federation import agent, tiny_blueprint

METHODS = [
    "parse", "dsgd-hybrid", "harmony", "sheaf-dmfl", "gradient-surgery", "oracle",
    *(f"parse@{rule}" for rule in NAMED),
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


@pytest.mark.parametrize("rule", NAMED)
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
    assert set(NAMED.values()) == set(RULES)
