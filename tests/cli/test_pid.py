from __future__ import annotations

import json

import numpy as np
import pytest

from parse_dfl.cli import main


@pytest.fixture
def gate(tmp_path):
    a, b = np.random.default_rng(0).integers(0, 2, (2, 1000))
    path = tmp_path / "gate.npz"
    np.savez(
        path, a=a, b=b, wave=a[:, None] + np.random.default_rng(1).random((1000, 3)), label=a & b
    )
    return path


def test_a_table_a_sentence_and_a_file(gate, tmp_path, capsys):
    out = tmp_path / "pid.json"
    assert main(["pid", str(gate), "--modalities", "a,b", "--out", str(out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "gate: 1000 samples, 2 classes, method exact" in shown
    assert "unique: only a tells" in shown
    assert "bits are in common" in shown
    found = json.loads(out.read_text())
    assert found["method"] == "exact"
    assert found["bits"]["synergistic"] == pytest.approx(0.5, abs=0.05)
    assert set(found["ci95"]["unique"]) == {"a", "b"}


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
def test_bad_input_is_one_line(gate, capsys, options, message):
    assert main(["pid", str(gate), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_file_is_only_replaced_when_asked(gate, tmp_path, capsys):
    out = tmp_path / "pid.json"
    out.write_text("mine")
    arguments = ["pid", str(gate), "--modalities", "a,b", "--out", str(out)]
    assert main(arguments) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert out.read_text() != "mine"
