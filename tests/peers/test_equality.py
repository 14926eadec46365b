"""Synchronous peers compute what the simulator computes."""

from __future__ import annotations

import pytest
import torch

from parse_dfl.engine.checkpoint import read_tensors
from parse_dfl.runs.launcher import Launcher
from parse_dfl.runs.peer_session import payload_of
from parse_dfl.runs.results import agent_scores
from parse_dfl.runs.setup import build_trial
from tests.peers.crowd import crowd, tiny

EIGHT = "top=2,bottom=3,bottom+top=3"
ROUNDS = 20


@pytest.mark.parametrize(
    ("dtype", "tolerance", "others"),
    [
        ("float64", 1e-9, {}),
        ("float32", 1e-4, {}),
        ("float64", 1e-9, {"data__standardise": "agreed"}),
    ],
)
def test_peers_and_simulator_agree(dtype, tolerance, others, tmp_path):
    settings = {"training__dtype": dtype, "agents": EIGHT, "training__rounds": ROUNDS, **others}
    settings |= {"peer__deadline_s": 60.0, "peer__lease_s": 60.0}
    config = tiny(**settings, data__samples_per_agent="16", checkpoint_every=ROUNDS)
    trial = build_trial(config, [config.seed])
    simulator = trial.simulator
    names = [agent.name for agent in simulator.layout.agents]
    with Launcher(config, tmp_path) as fleet, crowd(fleet, names, tmp_path) as peers:
        peers.start()
        payloads = []
        for _ in range(ROUNDS):
            simulator.step()
            payloads.append(simulator.payload())
        peers.wait(peers.all_done())
    for round in range(1, ROUNDS + 1):
        told = {n: next(m for m in peers.rounds(n) if m["round"] == round) for n in names}
        assert not any(message["missing"] for message in told.values())
        assert payload_of(told) == payloads[round - 1]
    if others:
        assert payload_of(peers.agreed()) == trial.agreement
    rows = {name: read_tensors(tmp_path / "peers" / name / "checkpoint.safetensors")[0]
            for name in names}  # fmt: skip
    for branch, own in simulator.layout.branches.items():
        theirs = torch.cat([rows[agent.name][f"{branch}|theta"] for agent in own.agents])
        assert float((theirs - own.params).norm() / own.params.norm()) <= tolerance
    samples = torch.from_numpy(trial.evaluation_samples)
    for score in agent_scores(trial, simulator.evaluate(samples)):
        told = peers.done(score.agent.name)["scores"]["accuracy"]
        assert abs(told - score.values["accuracy"]) * len(samples) <= 2.001
