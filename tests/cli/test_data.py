from __future__ import annotations

from types import SimpleNamespace

import pytest

from parse_dfl.cli import main
from parse_dfl.errors import DataError

FACTS = {
    "name": "digits",
    "samples": 1797,
    "modalities": {"top": {"kind": "image", "shape": [4, 8]}},
    "classes": 2,
    "label_counts": {"[0]": 178, "1": 182},
    "subjects": None,
    "keys": ["actor"],
    "factors": [],
    "split": {"train": 1150, "validation": 288, "test": 359},
}


@pytest.fixture
def catalog(stand_in):
    calls = []

    def load(name, **settings):
        calls.append((name, settings))
        if name == "digts":
            raise DataError("unknown data set 'digts'")
        return name

    entry = SimpleNamespace(name="digits", description="halves", where="built in")
    stand_in("parse_dfl.data.catalog", available=lambda data_dir: [entry], load=load)
    stand_in("parse_dfl.data.splits", split=lambda data, test: calls.append((data, test)))
    stand_in("parse_dfl.data.dataset", describe=lambda data, split: FACTS)
    return calls


def test_without_a_name_the_sets_are_listed(catalog, capsys):
    assert main(["data"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "name what" in shown
    assert "digits halves" in shown
    assert "more by name" in shown


def test_a_set_is_described(catalog, capsys):
    assert main(["data", "digits", "--kind", "top=image", "--test", "fraction:0.2"]) == 0
    assert catalog == [
        ("digits", {"data_dir": None, "kinds": {"top": "image"}, "subject_key": None}),
        ("digits", "fraction:0.2"),
    ]
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("top image 4 × 8", "samples 1797", "test 359", "subjects –", "[0] 178"):
        assert part in shown


def test_an_unknown_set_is_one_line(catalog, capsys):
    assert main(["data", "digts"]) == 2
    assert capsys.readouterr() == ("", "parse-dfl: unknown data set 'digts'\n")


def test_the_real_digits_are_described(capsys):
    assert main(["data", "digits"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "bottom vector 32" in shown
    assert "samples 1797" in shown
