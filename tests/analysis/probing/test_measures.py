"""The whole audit of untrained agents: every measure is there, and means are of what all have."""

from __future__ import annotations

import json

import numpy as np
import pytest

from parse_dfl.analysis.probing.context import ProbeSamples
from parse_dfl.analysis.probing.measures import audit, mean, mean_decomposition
from parse_dfl.config import AuditConfig
from parse_dfl.engine.agent_io import trained_agent
from tests.small import federation, small_data


@pytest.fixture(scope="module")
def measures():
    simulator = federation(
        agents="a=1,b=1,a+b=2", dtype="float32", data=small_data(samples=400), sizes=(8,)
    )
    trainer, data = simulator.trainer, simulator.trainer.data.source
    agents = [
        trained_agent(stack, row, trainer.method, trainer.network_spec, data.label_names)
        for stack in simulator.layout.stacks
        for row in range(len(stack.agents))
    ]
    samples = ProbeSamples(fit=np.arange(200), tune=np.arange(200, 280), report=np.arange(280, 400))
    return audit(agents, data, samples, AuditConfig(probe_steps=10))


def test_every_group_and_pair_is_measured_as_json(measures):
    assert json.loads(json.dumps(measures)) == measures
    assert measures["samples"] == {"fit": 200, "tune": 80, "report": 120}
    assert list(measures["groups"]) == ["a", "a+b", "b"]
    assert measures["groups"]["a+b"]["agents"] == ["a+b-0", "a+b-1"]
    (pair,) = measures["across"]
    assert (pair["agents"], pair["modalities"]) == (["a-0", "b-0"], ["a", "b"])
    assert list(pair["kinds"]) == ["redundant", "unique"]


def test_a_group_has_bits_predictability_and_dependence_of_its_slices(measures):
    group = measures["groups"]["a+b"]
    assert set(group["bits"]) == {"redundant", "unique", "synergistic"}
    assert set(group["predictability"]["unique"]) == {"a>b", "b>a"}
    assert "redundant.a unique.a" in group["dependence"]
    assert len(group["reads"]["redundant.a,b"]["label"]["values"]) == 2
    assert group["noiseless"] is None
    assert set(measures["groups"]["a"]["dependence"]) == {"redundant.a unique.a"}


def test_the_modalities_themselves_are_read_beside_the_slices(measures):
    assert set(measures["raw"]["reads"]) == {"a", "b", "a,b"}
    assert measures["raw"]["reads"]["a,b"]["label"] > measures["chance"]["label"]
    assert any("samples" in warning for warning in measures["warnings"])


def test_means_are_of_what_all_have():
    assert mean([{"x": 1.0, "y": {"z": 2.0}}, {"x": 3.0, "y": {}}]) == {"x": 2.0, "y": {}}
    assert mean([1.0, None]) is None


def test_decompositions_are_averaged_and_their_warnings_said_once():
    one = {"bits": {"redundant": 1.0}, "ci95": None, "warnings": ["few samples"]}
    other = {"bits": {"redundant": 0.0}, "ci95": None, "warnings": ["few samples", "a gap"]}
    joined = mean_decomposition([one, other])
    assert joined["bits"] == {"redundant": 0.5}
    assert joined["values"] == [{"redundant": 1.0}, {"redundant": 0.0}]
    assert joined["warnings"] == ["few samples", "a gap"]
