from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
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


@pytest.fixture
def gate(tmp_path):
    a, b = np.random.default_rng(0).integers(0, 2, (2, 1000))
    path = tmp_path / "gate.npz"
    np.savez(
        path, a=a, b=b, wave=a[:, None] + np.random.default_rng(1).random((1000, 3)), label=a & b
    )
    return path


def test_pid_prints_a_table_and_a_sentence_and_writes_a_file(gate, tmp_path, capsys):
    out = tmp_path / "pid.json"
    assert main(["pid", str(gate), "--modalities", "a,b", "--out", str(out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "gate: 1000 samples, 2 classes, method exact" in shown
    assert "unique: only a tells" in shown
    assert "bits are in common" in shown
    written = json.loads(out.read_text())
    assert written["method"] == "exact"
    assert written["bits"]["synergistic"] == pytest.approx(0.5, abs=0.05)
    assert set(written["ci95"]["unique"]) == {"a", "b"}


def test_nothing_in_common_is_said(tmp_path, capsys):
    a, b = np.random.default_rng(0).integers(0, 2, (2, 1000))
    np.savez(tmp_path / "xor.npz", a=a, b=b, label=a ^ b)
    assert main(["pid", str(tmp_path / "xor.npz"), "--modalities", "a,b"]) == 0
    assert "nothing in common" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--modalities", "a"], "--modalities a must name two different modalities"),
        (["--modalities", "a,c"], "has no modality 'c'"),
        (["--modalities", "a,b", "--method", "btch"], "unknown method 'btch'; did you mean"),
        (["--modalities", "a,wave", "--method", "exact"], "which modality 'wave' is not"),
        (["--modalities", "a,b", "--out", "nowhere/x.json"], "the folder of nowhere/x.json"),
        (["--modalities", "a,b", "--out", "."], ". is a folder"),
    ],
)
def test_bad_input_of_pid_is_one_line(gate, capsys, options, message):
    assert main(["pid", str(gate), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_an_estimate_is_only_replaced_when_asked(gate, tmp_path, capsys):
    out = tmp_path / "pid.json"
    out.write_text("mine")
    arguments = ["pid", str(gate), "--modalities", "a,b", "--out", str(out)]
    assert main(arguments) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert out.read_text() != "mine"
