from __future__ import annotations

import pytest

from studies.accuracy.recipe import TopologySpec
from studies.faithful.__main__ import faithful
from studies.faithful.figure import accuracy, leak, picture


def real(name, plain, free, full):
    told = {"parse": plain, "price 0": free, "price 1": full}
    return {"cell": f"{name}_5+5+5_iid", "accuracy": told}


def synthetic(price, **other):
    rows = {
        f"a+b/{kind}.a": {"other": {"mean": 0.5, "greatest": value}}
        for kind, value in other.items()
    }
    noiseless = {"a+b/noiseless/unique.a": {"other": {"mean": 1.0, "greatest": 1.0}}}
    return {"options": {"price": price}, "summary": rows | noiseless}


def test_the_trade_off_is_drawn_from_accuracy_and_the_greatest_leak():
    sets = [real("digits", 90.0, 88.0, 80.0), real("mfeat", 70.0, 68.0, 60.0)]
    assert accuracy(sets, "price 1") == pytest.approx(70.0)
    runs = [
        synthetic(1.0, redundant=0.52, unique=0.55, synergistic=0.51),
        synthetic(0.0, redundant=1.0, unique=0.9, synergistic=0.8),
    ]
    assert leak(runs[0], "unique") == pytest.approx(55.0)
    (panel,) = picture(sets, runs).figure.axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in panel.lines}
    assert drawn["unique slices"] == [[78.0, 90.0], [70.0, pytest.approx(55.0)]]
    assert drawn["plain PARSE"][0][0] == 80.0
    assert [text.get_text() for text in panel.texts] == ["0", "1"]


def test_a_price_is_set_beside_what_was_chosen():
    recipe = TopologySpec()
    assert faithful(recipe).settings == recipe.chosen("parse-faithful")
    assert faithful(recipe, 0.3).settings == recipe.chosen("parse-faithful") | {"price": 0.3}
