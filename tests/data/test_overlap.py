import numpy as np
import pytest

from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.overlap import reach


def windows(step, length=20, count=30, recordings=3):
    """Windows of each of some recordings, ``step`` apart, shape (samples, length, 2)."""
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(recordings, step * count + length, 2))
    return np.concatenate(
        [[signal[step * i : step * i + length] for i in range(count)] for signal in signals]
    )


def data_of(values, kind=None):
    label = np.arange(len(values)) % 2
    return from_mapping("w", {"m": values}, label, kinds={"m": kind} if kind else None)


@pytest.mark.parametrize(("step", "expected"), [(20, 0), (10, 1), (5, 3), (7, 2)])
def test_reach_is_how_many_later_windows_share_steps(step, expected):
    assert reach(data_of(windows(step))) == expected


def test_vectors_are_no_windows():
    assert reach(data_of(windows(10)[:, :, 0])) == 0


def test_videos_are_windows():
    assert reach(data_of(windows(10)[:, :, None, :], "video")) == 1


def test_constant_windows_are_no_overlap():
    assert reach(data_of(np.zeros((30, 20, 2)))) == 0


def test_a_few_repeats_are_coincidence():
    values = windows(20)
    values[1, :10] = values[0, 10:]
    assert reach(data_of(values)) == 0
