"""Bits of slices beside the data's, from an audit written by hand."""

from __future__ import annotations

import json

import pytest

from parse_dfl.io import decode
from parse_dfl.records import AUDIT, Audit
from parse_dfl.report.figures.measurements import audit_bits
from parse_dfl.report.tables.measurements import audit_tables, audited_groups, slice_bits
from tests.report.conftest import read


def bits(redundant, first, second, synergistic):
    atoms = {
        "redundant": redundant,
        "unique": {"a": first, "b": second},
        "synergistic": synergistic,
        "total": redundant + first + second + synergistic,
    }
    return {"bits": atoms, "warnings": ["only 120 samples"]}


def group(agents, slices, decomposed):
    return {
        "agents": agents,
        "reads": {
            name: {"label": {"accuracy": 0.5, "noiseless": None, "values": [0.5]}}
            for name in slices
        },
        "purity": {},
        "accuracy": {
            "joint": 0.6,
            "noiseless": None,
            "without": {},
            "alone": dict.fromkeys(slices, 0.5),
            "modalities": {},
            "synergy_score": None,
            "spoilt": None,
        },
        "bits": decomposed,
        "predictability": {},
        "dependence": {},
        "noiseless": None,
    }


@pytest.fixture
def audited(run_folder):
    both = {"redundant": {"a,b": bits(0.8, 0.1, 0.1, 0.0)}, "unique": {"a,b": bits(0, 0.5, 0.5, 0)}}
    content = {
        "method": "parse",
        "data": "synthetic",
        "seed": 0,
        "evaluated_on": "test",
        "config": {},
        "samples": {"fit": 300, "tune": 100, "report": 120},
        "probe": {},
        "chance": {"label": 0.1},
        "raw": {"reads": {"a": {"label": 0.9}}, "bits": {"a,b": bits(1.0, 1.0, 1.0, 1.0)}},
        "groups": {
            "a+b": group(["a+b-0"], ["redundant.a"], both),
            "a": group(["a-0", "a-1"], ["redundant.a"], {}),
        },
        "across": [],
        "warnings": ["only 120 samples", "only 60 samples"],
    }
    (run_folder / AUDIT).write_text(json.dumps(content))
    return run_folder, decode(content, Audit, "audit.json")


def test_groups_and_slices_are_named_as_tables_need_them(audited):
    _, audit = audited
    assert [name for name, _ in audited_groups(audit)] == ["a", "a+b"]
    assert list(slice_bits(audit.groups["a+b"])) == ["redundant a,b", "unique a,b"]


def test_the_picture_has_a_bar_for_the_data_and_for_every_kind(audited):
    folder, _ = audited
    picture = audit_bits(read(folder))
    (panel,) = picture.figure.axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["the data", "a+b: redundant", "a+b: unique"]
    assert "80 % (a+b: redundant) and 100 % (a+b: unique)" in picture.caption


def test_the_tables_say_how_many_agents_and_samples(audited):
    folder, _ = audited
    tables = {table.title.partition(":")[0]: table for table in audit_tables(read(folder))}
    readings = tables["What probes read from slices"]
    assert readings.notes[0].startswith("Means over 3 agents, on 120 test samples; probes are")
    rows = [[entry.text for entry in row] for row in readings.rows]
    assert rows[0] == ["data a", "90.0"]
    assert rows[-1] == ["chance", "10.0"]
    assert "Doubt: only 60 samples." in tables["Bits about the label"].notes
    assert "How purely slices hold their label bits, in percent" not in tables


def test_a_run_without_an_audit_has_neither(run_folder):
    assert audit_tables(read(run_folder)) == []
    assert audit_bits(read(run_folder)) is None
