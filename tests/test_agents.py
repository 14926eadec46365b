"""Tests."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import (
    AgentMix,
    AgentSpec,
    ModalityChange,
    agent_key,
    apply_change,
    check_changes,
    key,
    modality_set,
    pairs,
)
from parse_dfl.errors import ConfigError

NAMES = st.lists(st.from_regex(r"[A-Za-z0-9_]{1,4}", fullmatch=True), min_size=1, unique=True)


@given(NAMES)
def test_a_set_and_its_key_stand_for_each_other_in_any_order(names):
    owned = modality_set(reversed(names))
    assert owned == tuple(sorted(names))
    assert modality_set(key(names)) == modality_set("+".join(names)) == owned


@given(NAMES)
def test_pairs_are_sorted_and_all_there(names):
    found = pairs(names)
    assert len(set(found)) == len(found) == len(names) * (len(names) - 1) // 2
    assert all(first < second for first, second in found)
    assert found == sorted(found)


def test_spaces_around_names_do_not_count():
    assert modality_set(" gyro + acc ") == ("acc", "gyro")


@pytest.mark.parametrize("text", ["", "acc+", "acc+ +gyro", "a=b", "a,b", "a\nb"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ConfigError, match=r"is no modality name"):
        modality_set(text)


def test_names_of_any_letters_are_kept_by_their_keys():
    owned = modality_set("puls.ohr+left wrist")
    assert owned == ("left-u20-wrist", "puls-u2e-ohr")
    assert modality_set(key(owned)) == owned


@pytest.mark.parametrize(
    ("given_name", "inside"),
    [
        ("left wrist-0", "left-u20-wrist-0"),
        ("puls.ohr+left wrist-12", "left-u20-wrist+puls-u2e-ohr-12"),
        ("left-u20-wrist-0", "left-u20-wrist-0"),
        ("site-a", "site-a"),
    ],
)
def test_agents_of_a_mix_are_found_by_the_names_as_given(given_name, inside):
    assert agent_key(given_name) == inside


@pytest.mark.parametrize("names", ["acc+acc", []])
def test_a_set_names_at_least_one_modality_each_once(names):
    with pytest.raises(ConfigError, match="must name at least one modality, each once"):
        modality_set(names)


SETS = st.frozensets(st.sampled_from(["acc", "gyro", "mag"]), min_size=1)


@given(st.dictionaries(SETS, st.integers(1, 4), min_size=1))
def test_a_mix_reads_back_and_makes_its_agents(counts):
    text = ",".join(f"{key(owned)}={count}" for owned, count in counts.items())
    mix = AgentMix.from_string(text)
    agents = mix.agents(seed=3)
    assert str(mix) == text
    assert mix.size == len(agents) == len({agent.name for agent in agents}) == sum(counts.values())
    assert mix.modalities == modality_set(frozenset().union(*counts))
    assert {agent.seed for agent in agents} == {3}
    for owned, count in counts.items():
        assert [agent.group for agent in agents].count(key(owned)) == count


def test_agents_are_named_by_set_and_number():
    names = [agent.name for agent in AgentMix.from_string("acc=2, gyro+acc=1").agents()]
    assert names == ["acc-0", "acc-1", "acc+gyro-0"]


@pytest.mark.parametrize("text", ["", "acc", "acc=", "acc=two", "acc=1.5", "acc=3,,gyro=1"])
def test_a_part_that_is_not_set_and_count_is_refused(text):
    with pytest.raises(ConfigError, match="is not SET=COUNT; write a mix like 'acc=5,gyro=5"):
        AgentMix.from_string(text)


@pytest.mark.parametrize("count", [0, -2])
def test_a_mix_has_at_least_one_agent_a_part(count):
    with pytest.raises(ConfigError, match=f"'acc={count}' .* asks for {count} agents; use 1"):
        AgentMix.from_string(f"acc={count}")


def test_a_set_stands_once_in_a_mix():
    with pytest.raises(ConfigError, match=r"'acc\+gyro' stands twice"):
        AgentMix.from_string("acc+gyro=1,gyro+acc=2")


def test_a_bad_name_in_a_mix_is_refused():
    with pytest.raises(ConfigError, match="is no modality name: a name holds letters that can be"):
        AgentMix.from_string("a\x07b=2")


def test_an_agent_knows_its_encoders_and_keeps_its_name_when_modalities_change():
    agent = AgentSpec(name="n", modalities=("acc",), seed=1, encoders=(("acc", "mlp2"),))
    assert (agent.encoder("acc"), agent.encoder("gyro")) == ("mlp2", None)
    richer = agent.with_modalities(("acc", "gyro"))
    assert (richer.name, richer.seed, richer.group) == ("n", 1, "acc+gyro")


def test_a_gain_and_a_loss():
    assert ModalityChange.from_string("40:acc+gyro-0:-acc") == ModalityChange(
        round=40, agent="acc+gyro-0", loses="acc"
    )
    assert ModalityChange.from_string("1:acc-0:+gyro").gained


@pytest.mark.parametrize("text", ["", "40:acc-0", "0:a:+b", "x:a:+b", "4::+b", "4:a:b", "4:a:+b:c"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"is no modality event; write .*'40:acc-0:\+gyro'"):
        ModalityChange.from_string(text)


@pytest.mark.parametrize("values", [{"agent": 3, "gains": "b"}, {"agent": "a-0", "gains": 3}])
def test_names_of_a_change_must_be_text(values):
    with pytest.raises(ConfigError, match="name must be text"):
        ModalityChange(round=3, **values)


def test_the_modality_must_be_a_name():
    with pytest.raises(ConfigError, match="'b=c' is no modality name"):
        ModalityChange.from_string("4:a:+b=c")


def test_names_as_given_are_known_by_their_keys():
    event = ModalityChange.from_string("4:left wrist-0:+puls.ohr")
    assert (event.agent, event.modality) == ("left-u20-wrist-0", "puls-u2e-ohr")


AGENTS = AgentMix.from_string("a=2,b=1,a+b=1").agents()


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (["3:a-9:+b"], "unknown agent in an event: 'a-9'; did you mean 'a-1' or 'a-0'?"),
        (["3:a-0:+c"], "unknown modality in an event: 'c'; known: a, b"),
        (["11:a-0:+b"], "an event in round 11 of 10 would never happen"),
        (["3:a-0:+a"], "agent 'a-0' already has 'a' in round 3"),
        (["3:a-0:-b"], "agent 'a-0' does not have 'b' in round 3"),
        (["3:a-0:-a"], "agent 'a-0' would lose its last modality 'a' in round 3"),
        (["5:a-0:-b", "6:a-0:-b", "2:a-0:+b"], "agent 'a-0' does not have 'b' in round 6"),
    ],
)
def test_an_event_that_cannot_happen_is_refused(events, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_changes([ModalityChange.from_string(text) for text in events], AGENTS, "ab", 10)


def test_events_that_can_happen_pass():
    check_changes(
        [ModalityChange.from_string(text) for text in ("2:a-0:+b", "5:a-0:-a")], AGENTS, "ab", 10
    )


def test_an_event_changes_its_agent_only():
    gain = ModalityChange.from_string("2:a-0:+b")
    changed = [apply_change(agent, gain) for agent in AGENTS]
    assert changed[0].modalities == ("a", "b")
    assert changed[1:] == AGENTS[1:]
