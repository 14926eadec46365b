from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from parse_dfl import torch_internals
from parse_dfl.agents import AgentMix
from parse_dfl.branches import Branch
from parse_dfl.config import TrainingConfig
from parse_dfl.engine import agent_stack
from parse_dfl.engine.optimizer import (
    LAST,
    RowOptimizer,
    add_quasi_global_momentum,
    common_rate,
    rates_of,
    rows_by_rate,
)
from parse_dfl.engine.state import BranchState, StateBlock
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Stage, nothing
from parse_dfl.methods.parse import ParseOptions, parse_method
from parse_dfl.networks.losses import joint_loss
from tests.small import federation, rows_of, run_rounds

N, P, STEPS = 5, 7, 12
KINDS = {
    "sgd": lambda p, d: torch.optim.SGD([p], lr=0.05, momentum=0.8, weight_decay=d),
    "adam": lambda p, d: torch.optim.Adam([p], lr=0.05, betas=(0.8, 0.999), weight_decay=d),
    "adamw": lambda p, d: torch.optim.AdamW([p], 0.05, (0.8, 0.999), weight_decay=d),
}


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def fresh_rows(optimizer, theta):
    return BranchState(
        Branch("a", "head", "x"),
        agents=[],
        columns=(),
        params=theta.clone(),
        gradient=torch.zeros_like(theta),
        steps=torch.zeros(len(theta), dtype=torch.int64),
        moments=optimizer.moments(theta),
    )


def trained(config, blocks):
    """Rows after steps on the given blocks of rows, one block a step."""
    optimizer = RowOptimizer(config)
    rows = fresh_rows(optimizer, random(N, P))
    for gradient, block in zip(random(len(blocks), N, P), blocks, strict=True):
        rows.gradient.copy_(gradient)
        optimizer.step([rows.block(block)], 0.05)
    return rows


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_each_row_is_torchs_own_whatever_its_step_count(kind, decay):
    config = TrainingConfig(optimizer=kind, momentum=0.8, weight_decay=decay)
    blocks = [slice(step % 3, N - step % 2) for step in range(STEPS)]
    rows = trained(config, blocks)
    for row in range(N):
        parameter = torch.nn.Parameter(random(N, P)[row].clone())
        plain = KINDS[kind](parameter, decay)
        taken = 0
        for gradient, block in zip(random(STEPS, N, P), blocks, strict=True):
            if block.start <= row < block.stop:
                parameter.grad = gradient[row].clone()
                plain.step()
                taken += 1
        assert int(rows.steps[row]) == taken
        assert torch.allclose(rows.params[row], parameter, rtol=1e-12, atol=1e-13)


def test_a_row_moves_on_by_a_share_of_its_last_way():
    start = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    rows = fresh_rows(RowOptimizer(TrainingConfig(global_momentum=0.5)), start)
    add_quasi_global_momentum(rows, 0.5)
    assert torch.equal(rows.params, start)  # it went nowhere yet
    rows.params.add_(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    arrived = rows.params.clone()
    add_quasi_global_momentum(rows, 0.5)
    assert torch.equal(rows.params, torch.tensor([[4.0, 2.0], [0.0, 6.0]]))
    assert torch.equal(rows.moments[LAST], arrived)


def test_a_checkpoint_remembers_the_way():
    through, stopped, resumed = (federation(global_momentum=0.8, rounds=4) for _ in range(3))
    run_rounds(through, 4)
    run_rounds(stopped, 2)
    resumed.restore(stopped.tensors(), 2)
    run_rounds(resumed, 2)
    for key, row in rows_of(through).items():
        assert torch.equal(row, rows_of(resumed)[key])


OF_AGENT = {"a+b-0": 1.0, "a+b-1": 0.3, "a+b-2": 0.3, "a+b-3": 0.0, "a+b-4": 2.0}
AGENTS = AgentMix.from_string("a+b=5").agents(0)


def method_with(rate):
    """PARSE whose agents keep all to themselves, so that each depends on its own rate alone."""
    plain = parse_method(ParseOptions(), sharing=nothing)
    return replace(plain, stages=(replace(plain.stages[0], lr_scale=rate),))


def by_agent(branch, agent):
    return OF_AGENT[agent.name] * (0.5 if branch.component == "unique" else 1.0)


def trained_at(rate, **settings):
    return run_rounds(federation(method_with(rate), agents="a+b=5", sizes=(12, 9), **settings), 3)


def assert_each_agent_learns_at_its_own_rate(**settings):
    """As in the plain loop: as where all agents of the stack have that agent's rate."""
    own = trained_at(by_agent, **settings)
    found = rows_of(own)
    for number, agent in enumerate(AGENTS):
        alone = trained_at(lambda branch, _, agent=agent: by_agent(branch, agent), **settings)
        for key, row in rows_of(alone).items():
            if key[1] == agent.name:
                torch.testing.assert_close(found[key], row, rtol=1e-12, atol=1e-14)
        for branch, rows in alone.layout.branches.items():
            there = own.layout.branches[branch]
            assert there.steps[number] == rows.steps[number]
            for name, moment in rows.moments.items():
                torch.testing.assert_close(
                    there.moments[name][number], moment[number], rtol=1e-12, atol=1e-14
                )


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_each_agent_of_a_stack_learns_at_its_own_rate(optimizer):
    assert_each_agent_learns_at_its_own_rate(optimizer=optimizer, weight_decay=0.1)


def test_in_parts_as_well(monkeypatch):
    monkeypatch.setattr(agent_stack, "PART_BYTES", 25_000)
    assert_each_agent_learns_at_its_own_rate()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_compiled_step_as_well(optimizer, monkeypatch):
    monkeypatch.setattr(torch_internals, "by_inductor", lambda graph, _: graph)
    settings = {"optimizer": optimizer, "weight_decay": 0.1}
    plain, made = trained_at(by_agent, **settings), trained_at(by_agent, compiled=True, **settings)
    for name, value in plain.tensors().items():
        torch.testing.assert_close(made.tensors()[name], value, rtol=1e-9, atol=1e-11, msg=name)


def test_an_agent_at_rate_zero_stays_bit_for_bit():
    start = rows_of(federation(method_with(by_agent), agents="a+b=5", sizes=(12, 9)))
    for key, row in rows_of(trained_at(by_agent)).items():
        assert torch.equal(row, start[key]) == (key[1] == "a+b-3")


def test_a_factor_is_asked_for_once_per_branch_and_agent():
    asked = []

    def rate(branch, agent):
        asked.append((str(branch), agent.name))
        return 1.0

    simulator = trained_at(rate)
    assert len(asked) == len(set(asked)) == 5 * len(simulator.layout.branches)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_an_impossible_factor_is_refused(rate):
    with pytest.raises(ConfigError, match=r"rate factor of a/backbone for agent 'a\+b-1' is"):
        trained_at(lambda _, agent: rate if agent.name == "a+b-1" else 1.0)


def state_block(count):
    values = torch.arange(float(count)).unsqueeze(1)
    return StateBlock(Branch("a", "head", "x"), values, values, values[:, 0].long(), {})


def test_blocks_are_cut_only_where_the_factor_changes():
    whole, cut = state_block(4), state_block(4)
    found = rows_by_rate(
        {"whole": whole, "cut": cut}, {"whole": (0.5,) * 4, "cut": (1.0, 0.5, 0.5, 0.0)}
    )
    assert found[0.5][0] is whole
    assert [b.params.flatten().tolist() for b in (found[0.5][1], *found[1.0])] == [[1, 2], [0]]
    assert found.keys() == {0.5, 1.0}
    assert (common_rate((0.5, 0.5)), common_rate((0.5, 1.0))) == (0.5, None)


def test_without_a_rule_nobody_is_asked():
    stage = Stage(objective=joint_loss, sharing=nothing)
    assert rates_of(stage, {"a/head": state_block(5)}, AGENTS) == {"a/head": (1.0,) * 5}
