"""Tests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.splits import OverlappingWindows, reach, split
from parse_dfl.errors import ConfigError, DataError


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


def test_groups_of_windows_leave_every_class_in_several():
    windows = OverlappingWindows(position=np.arange(400), reach=2)
    groups = windows.groups(np.repeat([0, 1], [360, 40]))
    assert (np.diff(groups) >= 0).all()
    assert len(np.unique(groups[360:])) >= 4
    assert np.bincount(groups).max() <= 16


def test_windows_within_reach_overlap():
    windows = OverlappingWindows(position=np.array([9, 4, 0, 2, 6]), reach=2)
    assert windows.overlap(np.array([1])).tolist() == [False, True, False, True, True]


def make(samples=120, classes=3, *, subjects=0, **columns):
    label = np.arange(samples) % classes
    if subjects:
        columns["subject"] = np.arange(samples) // classes % subjects + 1
    return from_mapping("mine", {"m": np.arange(samples)}, label, **columns)


def together(parts):
    return np.concatenate([parts.train, parts.validation, parts.test])


def assert_every_class_in(data, indices):
    assert set(data.label[indices]) == set(range(data.classes))


@settings(deadline=None, max_examples=50)
@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=6),
    share=st.floats(0.01, 0.5),
)
def test_stratified_parts_cover_all_once_and_hold_every_class(counts, share):
    label = np.repeat(np.arange(len(counts)), counts)
    data = from_mapping("mine", {"m": np.arange(len(label))}, label)
    parts = split(data, f"fraction:{share}")
    assert sorted(together(parts)) == list(range(len(label)))
    assert_every_class_in(data, parts.train)
    assert_every_class_in(data, parts.test)


def test_auto_without_subjects_is_a_stratified_fifth():
    data = make(200, 4)
    parts = split(data)
    assert np.bincount(data.label[parts.test]).tolist() == [10] * 4
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (128, 32, 40)


def test_many_small_classes_still_give_a_fifth():
    parts = split(make(400, 50))  # 8 of each
    assert len(parts.test) == 80


def test_auto_with_subjects_holds_out_a_fifth_of_them():
    data = make(subjects=10)
    parts = split(data)
    of = [set(data.subject[part]) for part in (parts.train, parts.validation, parts.test)]
    assert [len(subjects) for subjects in of] == [6, 2, 2]
    assert set.union(*of) == set(range(1, 11))


def test_subjects_without_whom_a_class_would_vanish_stay():
    label = np.arange(60) % 2
    subject = np.arange(60) // 10
    label[subject == 4] = 2  # only subject 4 knows class 2
    parts = split(from_mapping("mine", {"m": label}, label, subject=subject))
    assert 4 in subject[parts.train]


def test_is_test_comes_first():
    data = make(subjects=10, is_test=np.arange(120) < 30)
    for rule in ("auto", "is_test"):
        assert split(data, rule).test.tolist() == list(range(30))


def test_validation_is_stratified_where_subjects_are_on_both_sides():
    data = make(subjects=2, is_test=np.arange(120) < 30)
    parts = split(data)
    assert len(parts.validation) == 18
    assert set(data.subject[parts.validation]) == set(data.subject[parts.train])


def test_is_test_of_whole_subjects_gives_validation_by_subject():
    whole = make(subjects=8)
    data = make(subjects=8, is_test=whole.subject % 2 == 0)
    parts = split(data)
    assert len(set(data.subject[parts.validation])) == 1
    assert not set(data.subject[parts.validation]) & set(data.subject[parts.train])


def test_asked_subjects_by_number_and_by_name():
    data = make(subjects=10)
    assert set(data.subject[split(data, "subject:3, 7").test]) == {3, 7}
    named = make(6, 2, subject=["ann", "ann", "bob", "bob", "cy", "cy"])
    assert split(named, "subject:bob").test.tolist() == [2, 3]


def test_a_single_training_subject_leaves_validation_stratified():
    parts = split(make(subjects=2), "subject:2")
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (48, 12, 60)


def test_equal_calls_give_equal_parts():
    data = make()
    np.testing.assert_array_equal(together(split(data)), together(split(data)))


@pytest.mark.parametrize("step", [5, 10])
def test_overlapping_windows_never_straddle(step):
    signal = np.random.default_rng(0).normal(size=(step * 200 + 20, 2))
    windows = np.array([signal[step * i : step * i + 20] for i in range(200)])
    data = from_mapping("w", {"m": windows}, np.arange(200) // 100)
    parts = split(data)
    rows = [set((step * part[:, None] + np.arange(20)).ravel()) for part in
            (parts.train, parts.validation, parts.test)]  # fmt: skip
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]
    assert len(parts.test) == 40


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("atuo", "unknown test part 'atuo'; did you mean 'auto'"),
        ("auto:3", "cannot read --test 'auto:3'"),
        ("subject:", "cannot read --test 'subject:'"),
        ("fraction:x", "must lie between 0 and 1"),
        ("fraction:1.5", "must lie between 0 and 1"),
    ],
)
def test_unreadable_rules(rule, message):
    with pytest.raises(ConfigError, match=message):
        split(make(), rule)


@pytest.mark.parametrize(
    ("columns", "rule", "message"),
    [
        ({}, "is_test", "'mine' has no is_test"),
        ({}, "subject:3", "'mine' has no subjects"),
        ({"subjects": 3}, "subject:9", "unknown subject '9' of 'mine'; known: 1, 2, 3"),
        ({"subjects": 3}, "subject:1,2,3", "leaves the training part of 'mine' empty"),
        ({"is_test": np.zeros(120, bool)}, "is_test", "leaves the test part of 'mine' empty"),
        ({"is_test": np.arange(120) % 3 == 1}, "auto", r"missing .* \(--test auto\): 1$"),
        ({"label_names": ["a", "b", "c", "d"]}, "auto", r"missing from the training part .*: d"),
    ],
)
def test_rules_that_do_not_suit_the_data(columns, rule, message):
    with pytest.raises(DataError, match=message):
        split(make(**columns), rule)
