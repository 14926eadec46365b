import pytest
import torch

from parse_dfl.config.methods import ParseAdaptive
from parse_dfl.errors import ConfigError
from parse_dfl.methods.parse_adaptive import parse_adaptive
from parse_dfl.networks.losses import Batch
from parse_dfl.networks.parse import GatedParseNetwork
from tests.networks.test_parse import BOTH, gated_inputs
from tests.small import federation, rows_of, run_rounds, small_data, small_network_spec

BATCH = 7


def gradients(numbers):
    """Which parts the loss of one batch reaches, its samples numbered so."""
    network = GatedParseNetwork(small_network_spec(small_data()), BOTH).eval()
    inputs = {name: value.unsqueeze(0) for name, value in gated_inputs().items()}
    for parameter in network.parameters():
        parameter.data = parameter.data.unsqueeze(0)
    batch = Batch(
        torch.arange(BATCH).unsqueeze(0) % 3,
        torch.full((1, BATCH), 1 / BATCH),
        torch.zeros(1, 3),
        torch.tensor([numbers]),
    )
    parse_adaptive(ParseAdaptive(hold_out=4)).stages[0].objective(
        network(inputs), batch
    ).sum().backward()
    return {
        name.split(".")[1]
        for name, value in network.named_parameters()
        if value.grad is not None and value.grad.abs().sum() > 0
    }


def test_slices_never_see_the_samples_that_the_gates_learn_from():
    assert gradients([0, 4, 8, 12, 16, 20, 24]) == {"a/gate", "b/gate", "a+b/gate"}


def test_gates_never_see_the_samples_that_slices_learn_from():
    reached = gradients([1, 2, 3, 5, 6, 7, 9])
    assert not any(part.endswith("gate") for part in reached)
    assert {"a/backbone", "b/backbone", "any/redundant", "a+b/synergy"} <= reached


def test_gates_are_shared_and_only_among_agents_of_several_modalities():
    simulator = run_rounds(federation("parse-adaptive"), 3)
    owners = {agent for _, agent, branch in rows_of(simulator) if branch.startswith("a/gate")}
    assert owners == {"a+b-0", "a+b-1", "a+b-2"}
    rows = next(r for b, r in simulator.layout.branches.items() if b.label == "a/gate")
    assert len(simulator.mixing_cache.mixing(rows, simulator.stage, 0, 1).source)
    assert rows.params.abs().sum() > 0


def test_a_modality_that_is_noise_is_trusted_less():
    data = small_data({"a": (6,), "b": (6,)}, samples=480)
    data.modalities["b"][:] = torch.randn(480, 6, generator=torch.Generator().manual_seed(3))
    trained = {"agents": "a+b=3", "data": data, "sizes": (40,), "rounds": 40, "lr": 0.02}
    simulator = run_rounds(federation("parse-adaptive", **trained), 40)
    trust = {
        branch.label: rows.params[:, ::2].mean()
        for branch, rows in simulator.layout.branches.items()
        if branch.component == "gate"
    }
    assert trust["b/gate"] < trust["a/gate"] - 0.1


def test_too_large_a_share_cannot_be_held_out():
    with pytest.raises(ConfigError, match="hold_out of parse-adaptive must be at least 2, not 1"):
        parse_adaptive(ParseAdaptive(hold_out=1))
