from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from parse_dfl.analysis.probing import context as module
from parse_dfl.analysis.probing.context import choose_samples
from parse_dfl.data.splits import split
from parse_dfl.errors import DataError
from tests.small import small_data

DATA = replace(small_data(samples=600), subject=np.arange(600) // 30)
SPLIT = split(DATA)


@pytest.mark.parametrize("where", ["test", "validation"])
def test_parts_are_disjoint_and_no_agent_has_learnt_from_them(where):
    used = SPLIT.train[::3]
    samples = choose_samples(DATA, SPLIT, used, evaluate_on=where)
    assert len(np.unique(samples.all)) == len(samples.all)
    assert not np.isin(samples.all, used).any()
    assert np.array_equal(samples.report, getattr(SPLIT, where))
    for name in ("fit", "tune", "report"):
        assert np.array_equal(samples.all[getattr(samples.ranges, name)], getattr(samples, name))
    if where == "validation":
        assert not np.isin(samples.all, SPLIT.test).any()


def test_subjects_stay_on_one_side():
    samples = choose_samples(DATA, SPLIT, SPLIT.train[::3], evaluate_on="test")
    fit, tune, report = (
        set(DATA.subject[part]) for part in (samples.fit, samples.tune, samples.report)
    )
    assert not fit & tune
    assert not (fit | tune) & report


def test_more_samples_than_needed_are_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr(module, "MOST_FIT", 100)
    drawn = [
        choose_samples(DATA, SPLIT, SPLIT.train[:9], evaluate_on="test", seed=s) for s in (1, 1)
    ]
    assert len(drawn[0].fit) == 100
    assert np.array_equal(drawn[0].fit, drawn[1].fit)


def test_too_few_samples_left_are_refused():
    with pytest.raises(DataError, match="only 0 samples of 'small' are owned by no agent"):
        choose_samples(DATA, SPLIT, SPLIT.train, evaluate_on="validation")
