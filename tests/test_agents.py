from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.agents import AgentSpec, parse_mix
from parse_dfl.errors import ConfigError
from parse_dfl.modalities import key, modality_set

SETS = st.frozensets(st.sampled_from(["acc", "gyro", "mag"]), min_size=1)


@given(st.dictionaries(SETS, st.integers(1, 4), min_size=1))
def test_a_mix_reads_back_and_makes_its_agents(counts):
    text = ",".join(f"{key(owned)}={count}" for owned, count in counts.items())
    mix = parse_mix(text)
    agents = mix.agents(seed=3)
    assert str(mix) == text
    assert mix.size == len(agents) == len({agent.name for agent in agents}) == sum(counts.values())
    assert mix.modalities == modality_set(frozenset().union(*counts))
    assert {agent.seed for agent in agents} == {3}
    for owned, count in counts.items():
        assert [agent.group for agent in agents].count(key(owned)) == count


def test_agents_are_named_by_set_and_number():
    names = [agent.name for agent in parse_mix("acc=2, gyro+acc=1").agents()]
    assert names == ["acc-0", "acc-1", "acc+gyro-0"]


@pytest.mark.parametrize("text", ["", "acc", "acc=", "acc=two", "acc=1.5", "acc=3,,gyro=1"])
def test_a_part_that_is_not_set_and_count_is_refused(text):
    with pytest.raises(ConfigError, match="is not SET=COUNT; write a mix like 'acc=5,gyro=5"):
        parse_mix(text)


@pytest.mark.parametrize("count", [0, -2])
def test_a_mix_has_at_least_one_agent_a_part(count):
    with pytest.raises(ConfigError, match=f"'acc={count}' .* asks for {count} agents; use 1"):
        parse_mix(f"acc={count}")


def test_a_set_stands_once_in_a_mix():
    with pytest.raises(ConfigError, match=r"'acc\+gyro' stands twice"):
        parse_mix("acc+gyro=1,gyro+acc=2")


def test_a_bad_name_in_a_mix_is_refused():
    with pytest.raises(ConfigError, match="is no modality name: a name holds letters that can be"):
        parse_mix("a\x07b=2")


def test_an_agent_knows_its_encoders_and_keeps_its_name_when_modalities_change():
    agent = AgentSpec(name="n", modalities=("acc",), seed=1, encoders=(("acc", "mlp2"),))
    assert (agent.encoder("acc"), agent.encoder("gyro")) == ("mlp2", None)
    richer = agent.with_modalities(("acc", "gyro"))
    assert (richer.name, richer.seed, richer.group) == ("n", 1, "acc+gyro")
