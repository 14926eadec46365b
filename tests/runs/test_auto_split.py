from __future__ import annotations

import json

import numpy as np
import pytest

from parse_dfl.agents import AgentMix
from parse_dfl.config import RunConfig, with_values
from parse_dfl.data.mapping import from_mapping
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.engine.agent_io import load_agent
from parse_dfl.errors import ConfigError, DataError
from parse_dfl.networks.network import slice_widths
from parse_dfl.runs.auto_split import propose_split, ratio_of
from parse_dfl.runs.run import run
from parse_dfl.runs.shared_setup import Overrides, SharedSetup

FIRST, SECOND = np.random.default_rng(0).integers(0, 2, (2, 800))
BOTH_TELL, TOGETHER, APART = "both tell", "only together", "each its own"
BITS = {  # what b is, and the label; a is the first bit
    BOTH_TELL: (FIRST, FIRST),
    TOGETHER: (SECOND, FIRST ^ SECOND),
    APART: (SECOND, 2 * FIRST + SECOND),
}


def bits_data(what):
    """Modalities of one bit each, so that the estimate is a count."""
    b, label = BITS[what]
    return from_mapping("bits", {"a": FIRST[:, None], "b": b[:, None]}, label)


def shards(mix="a=1,a+b=2", samples=400):
    return [
        AgentData(agent, np.arange(800)[number::3][:samples])
        for number, agent in enumerate(AgentMix.from_string(mix).agents())
    ]


@pytest.mark.parametrize(
    ("what", "expected"),
    [(BOTH_TELL, (18, 3, 3)), (APART, (3, 18, 3)), (TOGETHER, (3, 3, 18))],
)
def test_widths_follow_the_bits_and_none_is_lost(what, expected):
    assert propose_split(bits_data(what), shards()).split == expected


def test_pairs_are_averaged_and_a_latent_holds_its_own_unique_bits():
    first = {"redundant": 1.0, "unique": {"a": 1.0, "b": 1.0}, "synergistic": 0.0}
    second = {"redundant": 0.0, "unique": {"a": 0.5, "c": 0.5}, "synergistic": 0.5}
    # R 0.5, U 0.75, S 0.25 of 1.5: 3 + 15 · (1/3, 1/2, 1/6) twenty-fourths
    assert ratio_of([first, second]) == (8, 10, 6)


def test_without_any_bits_the_slices_are_thirds():
    nothing = {"redundant": 0.0, "unique": {"a": 0.0, "b": 0.0}, "synergistic": 0.0}
    assert ratio_of([nothing]) == (8, 8, 8)


def test_only_the_samples_of_agents_with_both_modalities_are_looked_at():
    data = bits_data(BOTH_TELL)
    found = propose_split(data, shards()).pairs["a,b"]
    assert found["samples"] == sum(len(shard.indices) for shard in shards()[1:])


def test_agents_of_one_modality_have_nothing_to_go_by():
    with pytest.raises(ConfigError, match="split auto needs agents that own two modalities"):
        propose_split(bits_data(APART), shards("a=1,b=1"))


def test_too_few_samples_are_refused():
    wave = np.random.default_rng(0).normal(size=(800, 2))
    data = from_mapping("wave", {"a": wave, "b": -wave}, FIRST)
    with pytest.raises(DataError, match=r"split auto: 20 samples are too few .* own a and b"):
        propose_split(data, shards(samples=10))


def test_a_split_that_is_still_to_be_proposed_has_no_widths():
    with pytest.raises(ConfigError, match="split auto is proposed from the data"):
        slice_widths(24, "auto")


def config():
    values = {
        "agents": "a=1,a+b=2",
        "network.split": "auto",
        "network.latent": 24,
        "network.hidden": 4,
        "training.rounds": 1,
    }
    return with_values(RunConfig(), values)


def test_a_run_trains_with_the_proposal_and_records_it(tmp_path):
    summary = run(config(), out=tmp_path / "run", overrides=Overrides(data=bits_data(TOGETHER)))
    assert summary["proposed_split"]["ratios"] == [3, 3, 18]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["network"]["split"] == "auto"
    agent = load_agent(tmp_path / "run" / "agents" / "a+b-0.safetensors")
    slices = agent.outputs({"a": FIRST[:5, None], "b": SECOND[:5, None]}).slices
    assert slices["synergistic.a+b"].shape == (5, 18)
    assert slices["redundant.a"].shape == (5, 3)


def test_only_seeds_of_equal_widths_run_side_by_side(monkeypatch):
    overrides = Overrides(data=bits_data(BOTH_TELL))
    assert SharedSetup(config(), overrides).groups_of_equal_work([0, 1]) == [[0, 1]]
    splits = iter([(8, 8, 8), (9, 8, 7), (8, 8, 8)])
    monkeypatch.setattr("parse_dfl.runs.auto_split.ratio_of", lambda bits: next(splits))
    assert SharedSetup(config(), overrides).groups_of_equal_work([5, 6, 7]) == [[5, 7], [6]]
