from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from parse_dfl.config import to_dict, with_values
from parse_dfl.engine.agent_io import load_agent
from parse_dfl.engine.simulator import Simulator
from parse_dfl.errors import CheckpointError, OutputError, RankError
from parse_dfl.runs import session as module
from parse_dfl.runs.callbacks import SILENT
from parse_dfl.runs.run import resume_run, run
from parse_dfl.runs.session import PayloadMeter
from tests.small import federation, run_rounds

CHECKPOINT = "checkpoint.safetensors"
SPENT = ("wall_seconds", "seconds_per_round", "peak_memory_bytes")
SETTINGS = {
    "parse": {"training.rounds": 7},
    "parse with everything": {
        "training.rounds": 8,
        "events": ["2:top-0:+bottom", "5:bottom+top-1:-top"],
        "overlay.absence": 0.3,
        "overlay.topology": "random-matching",
        "training.share_moments": "second",
    },
    "oracle": {"method": "oracle", "training.lr": 0.2},
    "harmony": {"method": "harmony", "training.rounds": 10},
    "sheaf-dmfl": {"method": "sheaf-dmfl", "training.optimizer": "sgd"},
    "gradient-surgery": {"method": "gradient-surgery"},
}


def numbers(summary):
    return {name: value for name, value in summary.items() if name not in SPENT}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_stopped_run_ends_with_the_numbers_of_one_that_was_not(
    name, small, stop_after, killed, tmp_path
):
    config = small(**SETTINGS[name])
    whole = run(config, out=tmp_path / "whole")
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text()
    with pytest.raises(KeyboardInterrupt):
        run(config, out=tmp_path / "stopped", listener=stop_after(2))
    assert (tmp_path / "stopped" / CHECKPOINT).exists()
    with pytest.raises(killed):
        resume_run(tmp_path / "stopped", listener=stop_after(config.training.rounds - 1, kill=True))
    resumed = resume_run(tmp_path / "stopped")
    assert numbers(resumed) == numbers(whole)
    assert (tmp_path / "stopped" / "metrics.jsonl").read_text() == lines
    assert not (tmp_path / "stopped" / CHECKPOINT).exists()


def test_ctrl_c_finishes_the_round_under_way(small, stop_after, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(small(), out=tmp_path / "x", listener=stop_after(3))
    _, header = module.read_tensors(tmp_path / "x" / CHECKPOINT)
    assert header["round"] == 3


def test_ctrl_c_in_the_last_round_loses_nothing(small, stop_after, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(small(), out=tmp_path / "x", listener=stop_after(5))
    assert numbers(resume_run(tmp_path / "x")) == numbers(run(small()))


@pytest.fixture
def stopped(small, stop_after, tmp_path):
    """The folder of a run that was stopped after round 3."""
    with pytest.raises(KeyboardInterrupt):
        run(small(), out=tmp_path / "stopped", listener=stop_after(2))
    return tmp_path / "stopped"


@pytest.mark.parametrize(
    "change",
    [
        {"training.lr": 0.5},
        {"agents": "top=3,bottom=2,bottom+top=1"},
        {"method": "local"},
        {"seed": 1},
        {"data.data": "synthetic", "agents": "a=2,b=2,a+b=2"},
    ],
)
def test_the_checkpoint_of_another_experiment_is_refused(stopped, small, change):
    path = stopped / "config.json"
    path.write_text(json.dumps(to_dict(small(**change))))
    with pytest.raises(CheckpointError, match=r"checkpoint.* is the checkpoint of another experi"):
        resume_run(stopped)
    assert (stopped / CHECKPOINT).exists()


def test_the_checkpoint_of_a_program_that_standardised_otherwise_is_refused(stopped):
    tensors, header = module.read_tensors(stopped / CHECKPOINT)
    del header["format"]
    module.write_tensors(stopped / CHECKPOINT, tensors, header)
    with pytest.raises(CheckpointError, match=r"is of another version .* or with --overwrite"):
        resume_run(stopped)


def test_what_the_numbers_do_not_depend_on_may_change(stopped, small):
    config = with_values(small(), {"eval_every": 3, "checkpoint_every": 1})
    (stopped / "config.json").write_text(json.dumps(to_dict(config)))
    assert resume_run(stopped)["mean_accuracy"] == run(small())["mean_accuracy"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused_by_name(stopped, share):
    content = (stopped / CHECKPOINT).read_bytes()
    (stopped / CHECKPOINT).write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors .*is damaged"):
        resume_run(stopped)


def test_without_a_checkpoint_the_run_starts_anew(stopped, small):
    (stopped / CHECKPOINT).unlink()
    assert numbers(resume_run(stopped)) == numbers(run(small()))
    rows = (stopped / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["round"] for row in rows] == [2] * 3 + [4] * 3 + [6] * 3


def test_a_full_disk_stops_the_checkpoint_and_not_the_training(small, tmp_path, monkeypatch):
    notes = []

    def full(path, *_):
        raise OutputError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(module, "write_tensors", full)

    class Notes:
        def __getattr__(self, name):
            return getattr(SILENT, name)

        def note(self, text):
            notes.append(text)

    summary = run(small(), out=tmp_path / "x", listener=Notes())
    assert summary["rounds"] == 6
    assert [text.partition(":")[0] for text in notes] == [
        "no checkpoint of round 2",
        "no checkpoint of round 4",
    ]
    assert "No space left on device" in notes[0]


def test_a_lost_rank_ends_a_run_that_keeps_nothing(small, monkeypatch):
    def lost(_):
        raise RankError("rank 0 of 2 lost rank 1", first=False)

    monkeypatch.setattr(Simulator, "step", lost)
    with pytest.raises(RankError, match=r"^rank 0 of 2 lost rank 1; the 0 rounds are") as caught:
        run(small())
    assert not caught.value.first


def test_a_run_that_keeps_nothing_writes_nothing(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert 0 < run(small())["mean_accuracy"] < 1
    assert list(tmp_path.iterdir()) == []


def test_the_listener_hears_every_round_and_evaluation(small):
    heard = []

    class Ear:
        def start(self, label, rounds, first_round):
            heard.append(("start", label, rounds, first_round))

        def round(self, done, accuracy):
            heard.append((done, accuracy is not None))

        def finish(self):
            heard.append("finish")

    run(small(), listener=Ear())
    assert heard[0] == ("start", "parse", 6, 0)
    assert heard[-1] == "finish"
    evaluated = {2, 4}
    told = [(round, round in evaluated) for round in range(1, 7)]
    assert heard[1:-1] == [*told, (6, True)]  # the last evaluation comes after all rounds


def test_a_moved_folder_can_be_resumed(stopped, small, tmp_path):
    shutil.move(stopped, tmp_path / "elsewhere")
    assert numbers(resume_run(tmp_path / "elsewhere")) == numbers(run(small()))


def test_a_run_that_diverges_says_so(small):
    class Notes(type(SILENT)):
        def __init__(self):
            self.notes = []

        def note(self, text):
            self.notes.append(text)

    heard = Notes()
    run(small(**{"training.lr": 1e30, "training.optimizer": "sgd"}), listener=heard)
    assert heard.notes
    assert "6 of 6 agents (top-0 first) have diverged by round 2" in heard.notes[0]
    assert heard.notes[0].endswith("try a lower --lr than 1e+30")


def test_bfloat16_halves_the_state_and_resumes_with_the_same_numbers(
    small, stop_after, killed, tmp_path
):
    config = small(**{"training.dtype": "bfloat16"})
    wide = small(**{"training.dtype": "float32"})
    sizes = []
    for name, each in (("half", config), ("wide", wide)):
        with pytest.raises(killed):
            run(each, out=tmp_path / name, listener=stop_after(4, kill=True))
        sizes.append((tmp_path / name / CHECKPOINT).stat().st_size)
    assert sizes[0] < 0.7 * sizes[1]
    assert resume_run(tmp_path / "half")["groups"] == run(config)["groups"]
    agent = load_agent(next((tmp_path / "half" / "agents").glob("top-0.safetensors")))
    assert agent.predict_probability({"top": np.zeros((2, 32))}).dtype == np.float32


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


@pytest.mark.parametrize("settings", [{"absence": 0.4}, {"topology": "random-matching"}])
def test_rounds_that_differ_are_all_counted(settings):
    simulator = federation(**settings)
    meter, sizes = PayloadMeter(simulator), []
    for _ in range(4):
        run_rounds(simulator, 1)
        assert meter.of_round() == simulator.payload()
        sizes.append(simulator.payload().total_bytes)
    assert len(set(sizes)) > 1 or "topology" in settings


def test_stages_and_events_are_counted_anew():
    """Many layouts one after another: an old one's payload must not stand in for a new one's."""
    events = [f"{t}:a-0:{'+' if t % 2 == 0 else '-'}b" for t in range(2, 12)]
    simulator = federation("harmony", rounds=12, events=events)
    meter = PayloadMeter(simulator)
    for _ in range(12):
        run_rounds(simulator, 1)
        assert meter.of_round() == simulator.payload()
