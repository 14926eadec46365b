from __future__ import annotations

import json

import numpy as np
import pytest

from parse_dfl.analysis.pid import estimate
from parse_dfl.data.splits import OverlappingWindows
from parse_dfl.errors import ConfigError, DataError

RNG = np.random.default_rng(7)
BITS = RNG.integers(0, 2, (4, 800))
COARSE = {"bootstrap": 50}


def close(result, redundant, first, second, synergistic):
    """Within 0.15 of the total information of the truth, atom by atom."""
    truth = np.array([redundant, first, second, synergistic])
    bits = [result.bits.redundant, *result.bits.unique.values(), result.bits.synergistic]
    return np.abs(np.array(bits) - truth).max() <= 0.15 * truth.sum()


def test_few_whole_numbers_are_counted():
    result = estimate(BITS[0], BITS[1], BITS[0] & BITS[1], names=("left", "right"))
    assert result.method == "exact"
    assert (result.samples, result.classes, result.warnings) == (800, 2, ())
    assert close(result, 0.311, 0, 0, 0.5)
    assert result.bits.of("left") == pytest.approx(0.311, abs=0.05)
    low, high = result.ci95["synergistic"]
    assert low < result.bits.synergistic < high < low + 0.2


def test_the_file_format():
    result = estimate(BITS[0], BITS[1], BITS[0] ^ BITS[1], names=("l", "r"), **COARSE).to_dict()
    assert json.loads(json.dumps(result)) == result
    assert list(result) == ["method", "bits", "ci95", "samples", "classes", "warnings"]
    for part in ("bits", "ci95"):
        assert list(result[part]) == ["redundant", "unique", "synergistic", "total"]
        assert list(result[part]["unique"]) == ["l", "r"]
    assert result["bits"]["total"] == pytest.approx(1, abs=0.02)


def test_without_a_bootstrap_there_are_no_intervals():
    result = estimate(BITS[0], BITS[1], BITS[0], bootstrap=0)
    assert result.ci95 == {}
    assert result.to_dict()["ci95"] is None


def test_batch_finds_a_shared_bit(behind_noise):
    notes = []
    shared, *others = BITS[:3]
    a, b = (behind_noise(shared, other, seed=seed) for seed, other in enumerate(others))
    result = estimate(a, b, shared, **COARSE, note=notes.append)
    assert result.method == "batch"
    assert close(result, 1, 0, 0, 0)
    assert "800 samples" in notes[0]


def test_batch_finds_a_unique_and_a_synergistic_bit(behind_noise):
    key, other = BITS[1], BITS[2]
    label = 2 * BITS[0] + (key ^ other)
    a, b = behind_noise(BITS[0], key, seed=1), behind_noise(other, seed=2)
    result = estimate(a, b, label, method="batch", **COARSE)
    assert close(result, 0, 1, 0, 1)
    assert result.warnings == ()


def test_lsmi_finds_synergy_and_tells_it_of_every_sample(behind_noise):
    a, b = behind_noise(BITS[1], seed=1), behind_noise(BITS[2], seed=2)
    result = estimate(a, b, BITS[1] ^ BITS[2], method="lsmi", **COARSE)
    assert close(result, 0, 0, 0, 1)
    assert result.per_sample.shape == (800, 4)
    means = [result.bits.redundant, *result.bits.unique.values(), result.bits.synergistic]
    assert result.per_sample.mean(axis=0) == pytest.approx(means, abs=1e-6)


def test_tensors_text_labels_and_groups_are_taken_and_seeds_repeat():
    torch = pytest.importorskip("torch")
    values = torch.from_numpy(RNG.standard_normal((120, 3)))
    label = np.where(values[:, 0].numpy() > 0, "up", "down")
    settings = {"groups": np.arange(120) // 6, "bootstrap": 20, "seed": 3}
    result = estimate(values, values.flip(1), label, **settings)
    assert result == estimate(values, values.flip(1), label, **settings)
    assert "only 120 samples" in result.warnings[0]
    assert result.bits.redundant > 0.5


def test_independent_noise_tells_nothing():
    a, b = RNG.standard_normal((2, 600, 5))
    result = estimate(a, b, BITS[0][:600], **COARSE)
    assert result.bits.total < 0.05


def noise_windows(step, count=400, length=16):
    """Windows of slow noise, ``step`` apart, whose labels change every 16 windows by chance."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(step * count + length + 8, 4))
    signal = np.apply_along_axis(np.convolve, 0, noise, np.ones(8), "valid")
    label = np.repeat(rng.integers(0, 2, count // 16), 16)
    return np.array([signal[step * i : step * i + length] for i in range(count)]), label


def test_windows_that_overlap_do_not_give_their_neighbours_away():
    values, label = noise_windows(step=1)
    order = np.random.default_rng(0).permutation(len(label))
    shuffled = values[order, :, :2], values[order, :, 2:], label[order]
    windows = OverlappingWindows(position=order, reach=15)
    in_order = estimate(values[..., :2], values[..., 2:], label, bootstrap=0)
    apart = estimate(*shuffled, windows=windows, bootstrap=0)
    given_away = estimate(*shuffled, bootstrap=0)  # their order is lost
    assert max(in_order.bits.total, apart.bits.total) < 0.1 < 0.4 < given_away.bits.total


def test_windows_that_overlap_too_far_cannot_be_parted():
    values, label = noise_windows(step=1, count=80, length=60)
    with pytest.raises(DataError, match="59 on either side"):
        estimate(values[..., :1], values[..., 1:], label)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"method": "btch"}, ConfigError, "unknown method 'btch'; did you mean 'batch'"),
        ({"names": ("a", "a")}, ConfigError, "two different names"),
        ({"bootstrap": -1}, ConfigError, "bootstrap=-1 must be 0"),
        ({"method": "exact"}, ConfigError, "at most 20 values, which modality 'b' is not"),
        ({"a": BITS[0][:5]}, DataError, "'a' has 5 samples, label has 30"),
        ({}, DataError, "30 samples are too few"),
    ],
)
def test_what_cannot_be_estimated_is_refused(changes, error, message):
    arguments = {"a": BITS[0][:30], "b": RNG.random(30), "label": BITS[1][:30], **changes}
    with pytest.raises(error, match=message):
        estimate(**arguments)
