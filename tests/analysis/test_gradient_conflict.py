"""The gradient conflict against plain gradients of plain networks, and who is paired with whom."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from parse_dfl.analysis.gradient_conflict import measure_conflict
from parse_dfl.config import NetworkConfig
from tests.engine.plain_loop import PlainAgent
from tests.small import federation, rows_of, run_rounds

HELD_OUT = torch.arange(100, 140)


def conflicts(simulator):
    """(branch, samples, pairs) → conflict, of one federation."""
    (found,) = measure_conflict(simulator, HELD_OUT).values()
    return {(one.branch, one.samples, one.pairs): one for one in found}


def plain_gradient(simulator, agent, common, *, held_out=False):
    """An agent's gradient by branch, from a network of its own at the common parameters."""
    shard = next(s for s in simulator.trainer.agent_data if s.agent.name == agent)
    plain = PlainAgent(shard, simulator)
    parameters = {}
    for label, part in plain.network.parts.items():
        rows = simulator.layout.branches[plain.network.branches[label]]
        row = common[agent, label]
        for column in rows.columns:
            value = part.get_parameter(column.name)
            value.data.copy_(row[column.slice].view(column.shape))
            parameters.setdefault(label, []).append(value)
    plain.network.eval()
    inputs, label, prior = plain.inputs, plain.label, plain.log_prior
    if held_out:
        stack = next(c for c in simulator.layout.stacks if shard.agent in c.agents)
        index = stack.agents.index(shard.agent)
        inputs = {
            name: (simulator.trainer.data.modalities[name][HELD_OUT] - stack.data.mean[name][index])
            / stack.data.scale[name][index]
            for name in shard.agent.modalities
        }
        label = simulator.trainer.data.label[HELD_OUT]
        counts = torch.bincount(label, minlength=3).double() + 0.5
        prior = (counts / counts.sum()).log()
    loss = functional.cross_entropy(plain.network(inputs).logits + prior, label)
    loss.backward()
    return {
        name: torch.cat([value.grad.flatten() for value in own]) for name, own in parameters.items()
    }


@pytest.mark.parametrize("held_out", [False, True])
def test_the_cosine_is_that_of_plain_gradients_at_the_mean_parameters(held_out):
    wide = NetworkConfig(latent=16, hidden=12)  # no unit of width 5 dies and takes a gradient along
    start = federation("dsgd-hybrid", agents="a=1,a+b=2", sizes=(20, 24), network=wide)
    simulator = run_rounds(start, 3)
    rows = {(name, branch): row for (_, name, branch), row in rows_of(simulator).items()}
    labels = {str(b): b.label for b in simulator.layout.branches}
    pair = ["a+b-0", "a+b-1"]
    common = {(name, labels[branch]): row for (name, branch), row in rows.items()}
    for label in set(labels.values()):
        owners = ["a-0", *pair] if label == "a/encoder" else pair
        if all((name, label) in common for name in owners):
            mean = torch.stack([common[name, label] for name in owners]).mean(0)
            common |= {(name, label): mean for name in owners}
    one, other = (
        plain_gradient(simulator, name, common, held_out=held_out)["a/encoder"]
        for name in ("a-0", "a+b-0")
    )
    third = plain_gradient(simulator, "a+b-1", common, held_out=held_out)["a/encoder"]
    cosines = [float(functional.cosine_similarity(one, g, dim=0)) for g in (other, third)]
    found = conflicts(simulator)["a/encoder", "held-out" if held_out else "own", "uni-multi"]
    assert found.count == 2
    assert found.mean_cosine == pytest.approx(sum(cosines) / 2, abs=1e-9)
    assert found.negative_share == sum(cosine < 0 for cosine in cosines) / 2


def test_pairs_follow_the_sharing_rule():
    parse = conflicts(run_rounds(federation("parse"), 1))
    assert parse["any/redundant", "own", "uni-multi"].count == 4 * 3
    assert parse["any/redundant", "own", "other"].count == 2 * 2
    assert parse["a/backbone", "own", "uni-multi"].count == 2 * 3
    assert parse["a/backbone", "own", "equal"].count == 1 + 3
    assert parse["all", "own", "uni-multi"].count == 4 * 3
    assert {pairs for branch, _, pairs in parse if "synergy" in branch} == {"equal"}
    task = conflicts(run_rounds(federation("dsgd-task"), 1))
    assert {pairs for _, _, pairs in task} == {"equal"}
    assert conflicts(run_rounds(federation("parse@local"), 1)) == {}


def test_equal_agents_with_equal_samples_never_conflict():
    simulator = federation("parse", agents="a=2,a+b=2", sizes=(160,), batch_size=160)
    found = conflicts(run_rounds(simulator, 1))
    for samples in ("own", "held-out"):
        assert found["all", samples, "equal"].mean_cosine == pytest.approx(1)
        assert found["all", samples, "equal"].negative_share == 0


def test_the_cost_is_bounded_whatever_the_number_of_agents():
    found = conflicts(run_rounds(federation("parse", agents="a=20,a+b=18", sizes=(8,)), 1))
    assert found["a/backbone", "own", "uni-multi"].count == 16 * 16


def test_seeds_side_by_side_are_measured_apart():
    both = measure_conflict(run_rounds(federation("harmony", seeds=(0, 1)), 2), HELD_OUT)
    alone = measure_conflict(run_rounds(federation("harmony", seeds=(1,)), 2), HELD_OUT)
    for found, expected in zip(both[1], alone[1], strict=True):
        assert (found.branch, found.pairs, found.count) == (
            expected.branch,
            expected.pairs,
            expected.count,
        )
        assert found.mean_cosine == pytest.approx(expected.mean_cosine, abs=1e-9)


def test_measuring_changes_nothing():
    measured, plain = federation("parse"), federation("parse")
    for _ in range(3):
        measured.step()
        plain.step()
        measure_conflict(measured, HELD_OUT)
    expected = rows_of(plain)
    assert all(torch.equal(row, expected[key]) for key, row in rows_of(measured).items())
