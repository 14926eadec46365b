from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from parse_dfl.errors import ConfigError, DataError, OverlayError
from parse_dfl.runs.setup import build_trial, merge_agents
from parse_dfl.runs.shared_setup import Overrides
from tests.small import small_data


def test_shards_lie_in_the_training_part_and_are_disjoint(small):
    trial = build_trial(small(), [0])
    shards = [shard.indices for shard in trial.simulator.trainer.agent_data]
    together = np.concatenate(shards)
    assert len(np.unique(together)) == len(together) == 6 * 16
    assert np.isin(together, trial.setup.split.train).all()


def test_scores_are_measured_on_validation_while_tuning(small):
    test, validation = (
        build_trial(small(**{"data.evaluate_on": part}), [0]).evaluation_samples
        for part in ("test", "validation")
    )
    assert not np.isin(validation, test).any()


def test_the_oracle_merges_agents_of_one_set(small):
    trial = build_trial(small(method="oracle"), [0, 1])
    shards = trial.simulator.trainer.agent_data
    assert [(s.agent.seed, s.agent.name) for s in shards] == [
        (seed, f"{group}-all") for seed in (0, 1) for group in ("top", "bottom", "bottom+top")
    ]
    assert all(len(shard.indices) == 32 for shard in shards)
    assert set(trial.weights.values()) == {2}
    union, weights = merge_agents(build_trial(small(), [0]).simulator.trainer.agent_data)
    assert len(union) == len(weights) == 3


def test_options_are_those_of_the_method(small):
    options = {"tau": 0.3, "harmony.first_stage": 0.5, "parse.head_weight": 1.0}
    config = small(method="harmony", method_options=options)
    assert config.options() == {"tau": 0.3, "first_stage": 0.5}


def test_own_data_and_topology_take_the_place_of_names(small):
    data = small_data()
    graph = nx.path_graph(["a-0", "a-1", "b-0", "a+b-0"])
    overrides = Overrides(data=data, topology=graph)
    trial = build_trial(small(agents="a=2,b=1,a+b=1"), [0], overrides)
    assert trial.simulator.trainer.data.source is data
    rows = next(r for b, r in trial.simulator.layout.branches.items() if b.label == "any/redundant")
    mixing = trial.simulator.mixing_cache.mixing(rows, trial.simulator.stage, 1)
    assert len(mixing.source) == 2 * graph.number_of_edges()


def test_an_own_graph_must_be_one_over_the_agents(small):
    overrides = Overrides(data=small_data(), topology=nx.path_graph(["a-0", "a-7"]))
    with pytest.raises(OverlayError, match="unknown agents a-7"):
        build_trial(small(agents="a=2"), [0], overrides)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"agents": "top=1,left=1"}, DataError, "has no modality 'left'"),
        ({"events": ["3:top-9:+bottom"]}, ConfigError, "unknown agent in an event: 'top-9'"),
        ({"data.samples_per_agent": "9999"}, DataError, "ask for 59994 samples"),
        ({"overlay.topology": "rign"}, ConfigError, "unknown topology 'rign'; did you mean 'ring'"),
        ({"network.encoders": {"top": "conv1d"}}, ConfigError, "encoder 'conv1d' reads series"),
        ({"method_options": {"tua": 1.0}}, ConfigError, "has no option 'tua'"),
    ],
)
def test_what_the_data_cannot_give_is_refused(small, values, error, message):
    with pytest.raises(error, match=message):
        build_trial(small(**values), [0])


@pytest.mark.parametrize(
    ("method", "agrees", "is_counted"),
    [("parse", True, True), ("local", False, False), ("oracle", True, False)],
)
def test_who_exchanges_anything_agrees_on_the_standardisation(small, method, agrees, is_counted):
    trial = build_trial(small(method=method, **{"data.standardise": "agreed"}), [0])
    means = {
        stack.data.mean["top"][row].sum().item()
        for stack in trial.simulator.layout.stacks
        if "top" in stack.data.mean
        for row in range(len(stack.agents))
    }
    assert (np.ptp(list(means)) < 1e-4) == agrees
    assert bool(trial.agreement.total_bytes) == is_counted
