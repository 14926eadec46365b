from __future__ import annotations

import pytest
import torch

from parse_dfl.config import NetworkConfig
from parse_dfl.config.methods import PRICES, ParseFaithful
from parse_dfl.data.built_in import SyntheticConfig, synthetic
from parse_dfl.engine.evaluation import forward_chunks
from parse_dfl.errors import ConfigError
from parse_dfl.methods.parse_faithful import (
    faithful_objective,
    parse_faithful,
)
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.faithful import FaithfulNetwork
from parse_dfl.networks.losses import Batch, cross_entropy, gaussian_kl, shared_variation
from tests.federation import CLASSES, WIDTHS, agent, thetas, tiny_blueprint, tiny_simulator
from tests.small import federation, run_rounds

ROWS, BATCH = 2, 5
FREE = dict.fromkeys(PRICES, 0.0)


def said(modalities):
    generator = torch.Generator().manual_seed(0)
    inputs = {
        name: torch.randn(ROWS, BATCH, WIDTHS[name], generator=generator)
        for name in modalities.split("+")
    }
    return FaithfulNetwork(tiny_blueprint(), agent(modalities))(inputs)


def batch():
    label = torch.arange(ROWS * BATCH).view(ROWS, BATCH) % CLASSES
    return Batch(label, torch.full((ROWS, BATCH), 1 / BATCH), torch.zeros(ROWS, CLASSES))


def loss(outputs, **options):
    return faithful_objective(ParseFaithful(**FREE | options))(outputs, batch())


def test_without_prices_the_loss_is_the_cross_entropy_of_what_is_staged():
    outputs = said("a+b")
    names = ["redundant.a", "redundant.b", "unique.a", "unique.b", "unique", "synergistic", "heads"]
    expected = sum(cross_entropy(outputs.staged[name], batch()) for name in names)
    torch.testing.assert_close(loss(outputs), expected)


@pytest.mark.parametrize("kinds", [["redundant"], ["redundant", "unique"]])
def test_slices_whose_turn_has_not_come_have_no_loss(kinds):
    outputs = said("a+b")
    found = faithful_objective(ParseFaithful(), kinds)(outputs, batch()).sum()
    means = {name: outputs.means[name] for name in (*outputs.sides, "unique.a", "redundant.a")}
    gradients = torch.autograd.grad(found, list(means.values()), allow_unused=True)
    reached = {name for name, each in zip(means, gradients, strict=True) if each is not None}
    assert reached == {f"{kind}.a" for kind in kinds}


def test_every_slice_pays_its_own_price():
    outputs = said("a+b+c")
    means, free = outputs.means, loss(outputs)

    def paid(**options):
        return loss(outputs, **options) - free

    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    apart = sum(
        gaussian_kl(means[f"redundant.{m}"] - means[f"redundant.{k}"], batch()) for m, k in pairs
    )
    torch.testing.assert_close(paid(agreement=3.0), 3 * apart / 2)
    unique = sum(gaussian_kl(means[f"unique.{m}"], batch()) for m in "abc")
    torch.testing.assert_close(paid(unique_price=0.5), 0.5 * unique)
    sides = sum(gaussian_kl(means[name], batch()) for name in outputs.sides)
    assert len(outputs.sides) == 6
    torch.testing.assert_close(paid(synergy_price=0.5), 0.5 * sides)
    varied = sum(
        shared_variation(means[f"unique.{m}"], means[f"redundant.{m}"], batch()) for m in "abc"
    )
    torch.testing.assert_close(paid(independence=2.0), 2 * varied)
    varied = sum(
        shared_variation(means[name], means[f"{kind}.{name[-1]}"], batch())
        for name in outputs.sides
        for kind in ("redundant", "unique")
    )
    torch.testing.assert_close(paid(synergy_independence=2.0), 2 * varied)
    both = paid(price=0.5, agreement=3.0, unique_price=0.5)
    torch.testing.assert_close(both, 1.5 * apart / 2 + 0.25 * unique)


def test_slices_learn_in_their_order_and_r_is_cheap_at_first():
    method = parse_faithful(ParseFaithful(early=0.1))
    assert method.stage_bounds(9) == [(1, 3), (4, 6), (7, 9)]
    outputs = said("a+b")
    options = ParseFaithful()
    expected = [
        faithful_objective(ParseFaithful(agreement=0.12), ["redundant"]),
        faithful_objective(options, ["redundant", "unique"]),
        faithful_objective(options),
    ]
    for stage, objective in zip(method.stages, expected, strict=True):
        torch.testing.assert_close(stage.objective(outputs, batch()), objective(outputs, batch()))


def test_unimodal_agents_do_not_train_what_is_redundant_but_receive_it():
    simulator = tiny_simulator("parse-faithful", "a=3,b=2", rounds=3)
    before = thetas(simulator, "redundant-slice")["a"]
    run_rounds(simulator, 3)
    after = thetas(simulator, "redundant-slice")["a"]
    for name, row in after.items():  # equal rows averaged, up to rounding
        torch.testing.assert_close(row, before[name], rtol=1e-12, atol=1e-12)
    mixed = tiny_simulator("parse-faithful", "a=2,a+b=2", rounds=3, topology="full")
    before = thetas(mixed, "redundant-slice")["a"]["a-0"]
    run_rounds(mixed, 1)
    assert not torch.equal(thetas(mixed, "redundant-slice")["a"]["a-0"], before)
    assert set(thetas(mixed, "synergy")["a+b"]) == {"a+b-0", "a+b-1"}


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("agreement", -1, "agreement of parse-faithful must be at least 0, not -1"),
        ("early", -0.5, "early of parse-faithful must be at least 0, not -0.5"),
    ],
)
def test_options_out_of_range_are_refused(option, value, told):
    with pytest.raises(ConfigError, match=told):
        build_method("parse-faithful", {option: value})


def held(values, bit):
    """How well a linear reader tells a bit from a slice, fitted on the one half of the samples."""
    half = len(values) // 2
    design = torch.cat([values, torch.ones(len(values), 1)], 1).double()
    sign = 2.0 * torch.from_numpy(bit).double() - 1
    weight = torch.linalg.lstsq(design[:half], sign[:half, None]).solution
    return float(((design[half:] @ weight).squeeze(1).sign() == sign[half:]).double().mean())


def test_in_small_the_redundant_slice_lets_go_of_what_one_modality_knows():
    data = synthetic(SyntheticConfig(synergy=0, samples=1500, noise=0.1))
    simulator = federation(
        "parse-faithful",
        agents="a=1,a+b=2",
        data=data,
        sizes=(150,),
        network=NetworkConfig(latent=24, hidden=24, dropout=0.0),
        rounds=36,
        batch_size=30,
        lr=0.02,
        dtype="float32",
    )
    run_rounds(simulator, 36)
    stack = next(c for c in simulator.layout.stacks if c.agents[0].group == "a")
    _, _, outputs = next(forward_chunks(stack, simulator.trainer.data, torch.arange(1000, 1500)))
    bits = {name: data.factors[name][1000:1500] for name in ("redundant", "unique_a")}
    slices = {kind: outputs.slices[f"{kind}.a"][0] for kind in ("redundant", "unique")}
    assert held(slices["redundant"], bits["redundant"]) > 0.9
    assert held(slices["redundant"], bits["unique_a"]) < 0.65
    assert held(slices["unique"], bits["unique_a"]) > 0.85
