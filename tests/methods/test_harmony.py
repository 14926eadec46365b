from __future__ import annotations

import pytest
import torch

from parse_dfl.config.methods import Harmony
from parse_dfl.errors import ConfigError
from parse_dfl.methods.harmony import AverageAlike, harmony
from tests.federation import GivenRows, mixing_over, thetas, tiny_simulator

SIZE = 4
THETA = torch.randn(SIZE, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
DRIFTS = torch.tensor([[1.0, 1.0], [5.0, 5.0], [3.0, 1.0], [0.0, 0.0]], dtype=torch.float64)


def exchanged(tau, drifts=DRIFTS):
    rule, rows, mixing = (
        AverageAlike(tau),
        GivenRows(THETA, drifts=drifts),
        mixing_over(SIZE, "full"),
    )
    return rule.receive(rows, rule.send(rows, mixing), mixing)


def run(rounds=4, steps=None, **options):
    method = harmony(Harmony(**{"first_stage": 0.5} | options))
    simulator = tiny_simulator(method, rounds=rounds, topology="full", schedule="constant")
    for _ in range(rounds if steps is None else steps):
        simulator.step()
    return simulator


def alike(rows):
    """Whether all rows are one, but for rounding."""
    first, *others = rows.values()
    return all(torch.allclose(other, first, rtol=1e-10, atol=1e-10) for other in others)


def only(rows, group):
    return {name: row for name, row in rows.items() if name.rpartition("-")[0] == group}


def test_heads_are_averaged_with_those_whose_profile_differs_by_less_than_tau():
    after = exchanged(0.2)
    # Profiles: even, even, (¾, ¼), and even for who has not moved; full graph of 4: weights ¼.
    expected = THETA.clone()
    for i in (0, 1, 3):
        expected[i] = (THETA[0] + THETA[1] + THETA[3] + THETA[i]) / 4
    torch.testing.assert_close(after, expected)


def test_no_tau_averages_nothing_and_a_large_one_everything():
    mixing = mixing_over(SIZE, "full")
    assert torch.equal(exchanged(0.0), THETA)
    torch.testing.assert_close(exchanged(2.0), mixing.apply(THETA))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 2.0])
def test_each_stage_needs_a_share_of_the_rounds(share):
    with pytest.raises(ConfigError, match="first_stage of harmony must be above 0 and below 1"):
        harmony(Harmony(first_stage=share))


def test_the_first_stage_takes_its_share_of_the_rounds():
    method = harmony(Harmony(first_stage=0.7))
    assert method.stage_bounds(10) == [(1, 7), (8, 10)]


def test_in_stage_one_each_modalitys_network_is_shared_and_no_fusion_trains():
    start, simulator = run(steps=0), run(steps=1)
    for component in ("encoder", "head"):
        for rows in thetas(simulator, component).values():
            assert len(rows) == 5
            assert alike(rows)
    before, after = thetas(start, "fusion")["a+b"], thetas(simulator, "fusion")["a+b"]
    assert all(torch.equal(before[name], after[name]) for name in after)


def test_in_stage_two_only_fusion_heads_are_shared_and_unimodal_agents_carry_on():
    before, after = run(steps=2, tau=2.0), run(steps=3, tau=2.0)
    fusion = thetas(after, "fusion")["a+b"]
    assert alike(fusion)
    assert (fusion["a+b-0"] != thetas(before, "fusion")["a+b"]["a+b-0"]).any()
    for modality in "ab":
        encoders = thetas(after, "encoder")[modality]
        assert not alike(only(encoders, "a+b"))
        assert alike(only(encoders, modality))
        assert not alike(encoders)
        moved = thetas(before, "encoder")[modality]
        assert all((encoders[name] != moved[name]).any() for name in encoders)
        heads = [thetas(each, "head")[modality] for each in (before, after)]
        for name in only(heads[0], "a+b"):  # their own heads are done
            assert torch.equal(heads[0][name], heads[1][name])


def test_with_no_tau_fusion_heads_stay_local():
    assert not alike(thetas(run(tau=0.0), "fusion")["a+b"])


def test_encoders_are_fine_tuned_at_the_lower_rate():
    before = thetas(run(steps=2), "encoder")["a"]
    frozen = thetas(run(steps=3, encoder_rate=0.0), "encoder")["a"]
    moves = {}
    for rate in (0.1, 0.2):
        after = thetas(run(steps=3, encoder_rate=rate), "encoder")["a"]
        moves[rate] = float((after["a+b-0"] - before["a+b-0"]).norm())
    assert torch.equal(frozen["a+b-0"], before["a+b-0"])
    assert (frozen["a-0"] != before["a-0"]).any()
    assert moves[0.2] / moves[0.1] == pytest.approx(2, rel=0.05)


def test_stage_one_predicts_by_the_mean_of_modalities_stage_two_by_the_fusion_head():
    first, second = harmony(Harmony()).stages
    simulator = run(steps=0)
    stack = simulator.layout.stacks[-1]
    outputs = stack.network(stack.data.inputs)
    mean = (outputs.modality_logits["a"] + outputs.modality_logits["b"]) / 2
    torch.testing.assert_close(first.predict(outputs), mean)
    assert torch.equal(second.predict(outputs), outputs.logits)
