from __future__ import annotations

import json

import pytest

from parse_dfl.runs.run import resume_run, run


def test_the_conflict_of_every_evaluated_round_is_written(small, tmp_path):
    run(small(record=["conflict"]), out=tmp_path / "x")
    lines = [
        json.loads(line) for line in (tmp_path / "x" / "conflict.jsonl").read_text().splitlines()
    ]
    assert {line["round"] for line in lines} == {2, 4, 6}
    assert {line["seed"] for line in lines} == {0}
    assert {line["samples"] for line in lines} == {"own", "held-out"}
    assert all(0 <= line["negative_share"] <= 1 >= abs(line["mean_cosine"]) for line in lines)


def test_recording_never_changes_the_numbers(small, tmp_path):
    plain = run(small(), out=tmp_path / "plain")
    recorded = run(small(record=["conflict"]), out=tmp_path / "recorded")
    assert recorded["agents"] == plain["agents"]
    files = [tmp_path / name / "metrics.jsonl" for name in ("plain", "recorded")]
    assert files[0].read_text() == files[1].read_text()
    assert not (tmp_path / "plain" / "conflict.jsonl").exists()


def test_a_resumed_run_records_every_round_once(small, stop_after, tmp_path):
    config = small(record=["conflict"])
    run(config, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config, out=tmp_path / "stopped", listener=stop_after(4))
    resume_run(tmp_path / "stopped")
    files = [tmp_path / name / "conflict.jsonl" for name in ("whole", "stopped")]
    assert files[0].read_text() == files[1].read_text()
