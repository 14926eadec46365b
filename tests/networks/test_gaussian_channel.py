from __future__ import annotations

import torch

from parse_dfl.networks.counter_rng import use_rng
from parse_dfl.networks.gaussian_channel import sample_noise, through_noise

SAMPLES, WIDTH = 2000, 8


def given(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.zeros(SAMPLES, WIDTH), torch.randn(SAMPLES, 3, generator=generator)


def test_noise_is_standard_normal_and_independent_between_slices():
    mean, input = given()
    one, other = (sample_noise(mean, input, name) for name in ("redundant.a", "unique.a"))
    assert abs(float(one.mean())) < 0.03
    assert abs(float(one.std()) - 1) < 0.03
    assert abs(float((one * other).mean())) < 0.03


def test_after_training_noise_belongs_to_the_sample_whatever_its_batch():
    mean, input = given()
    whole = through_noise(mean, input, "redundant.a")
    torch.testing.assert_close(through_noise(mean[7:9], input[7:9], "redundant.a"), whole[7:9])
    rows = through_noise(mean.view(2, -1, WIDTH), input.view(2, -1, 3), "redundant.a")
    torch.testing.assert_close(rows.view(SAMPLES, WIDTH), whole)
    rounded = through_noise(mean, input.double(), "redundant.a")
    torch.testing.assert_close(rounded.to(whole), whole)


def test_in_training_noise_belongs_to_the_agent_whoever_shares_its_rows():
    mean, input = (value[:10].expand(3, -1, -1) for value in given())
    keys = torch.tensor([5, 6, 7])
    with use_rng(keys):
        rows = through_noise(mean, input, "redundant.a")
    with use_rng(keys[1:2]):
        alone = through_noise(mean[1], input[1], "redundant.a")
    torch.testing.assert_close(rows[1], alone)
    assert not torch.equal(rows[0], rows[1])
