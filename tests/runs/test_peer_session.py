"""``run --engine peers``: the same records, and no process is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import parse_dfl
from parse_dfl.engine.checkpoint import read_tensors
from parse_dfl.errors import ConfigError, DataError, PeerError
from parse_dfl.runs import run as run_module
from parse_dfl.runs.callbacks import SILENT
from parse_dfl.runs.compare import compare
from parse_dfl.runs.folder import read_json, read_jsonl
from parse_dfl.runs.launcher import Launcher
from parse_dfl.runs.peer_session import PeerSession
from parse_dfl.runs.results import SCORES
from parse_dfl.runs.run import resume_run, run
from parse_dfl.runs.setup import prepare
from parse_dfl.runs.shared_setup import Overrides
from tests.peers.crowd import tiny
from tests.runs.conftest import SMALL, Stopper

PATIENCE_S = 120


def config(**values):
    named = {key.replace(".", "__"): value for key, value in SMALL.items()}
    patient = {"peer__deadline_s": 60.0, "peer__lease_s": 60.0}  # a busy machine is no reason
    return tiny(**{**patient, **named, **values})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same experiment on both engines, with an agreement that counts as payload."""
    out, settings = tmp_path_factory.mktemp("engines"), {"data__standardise": "agreed"}
    for engine in ("simulate", "peers"):
        run(config(engine=engine, training__dtype="float64", **settings), out=out / engine)
    return out / "simulate", out / "peers"


def test_both_engines_leave_the_same_files(folders):
    names = [{path.name for path in folder.rglob("*")} for folder in folders]
    assert names[0] == names[1]


def test_both_engines_tell_the_same(folders):
    one, other = (read_json(folder / "summary.json") for folder in folders)
    assert one.keys() == other.keys()
    for free in ("wall_seconds", "seconds_per_round", "peak_memory_bytes", "config", "threads"):
        one.pop(free), other.pop(free)
    assert _close(one, other)


def _close(one, other):
    """Equal but for the last digits of numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_close(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_close, one, other))
    return one == (pytest.approx(other, rel=1e-5) if isinstance(other, float) else other)


def test_both_engines_record_the_same_rounds(folders):
    rows = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in folders
    ]
    assert _close(*rows)


def test_ctrl_c_stops_all_after_one_round_and_resume_goes_on(folders, tmp_path):
    settings = {"training__dtype": "float64", "training__rounds": 30, "data__standardise": "agreed"}
    with pytest.raises(KeyboardInterrupt):
        run(config(**settings), out=tmp_path / "x", listener=Stopper(4))
    kept = read_json(tmp_path / "x" / "peers" / "progress.json")["round"]
    assert 4 <= kept < 30
    states = (tmp_path / "x" / "peers").glob("*/checkpoint.safetensors")
    assert [read_tensors(state)[1]["round"] for state in states] == [kept] * 6
    whole = run(config(**settings, engine="simulate"))
    told = resume_run(tmp_path / "x")
    assert _close(told["groups"], whole["groups"])
    assert told["payload_bytes_per_round"] == whole["payload_bytes_per_round"]
    assert not (tmp_path / "x" / "peers").exists()


def test_a_peer_that_is_killed_ends_the_run_with_an_error(tmp_path, monkeypatch):
    class Assassin(Launcher):
        def events(self, timeout_s):
            for name, message in super().events(timeout_s):
                if message.get("round") == 2:
                    os.kill(self.pids[name], signal.SIGKILL)
                yield name, message

    monkeypatch.setattr(run_module, "Launcher", Assassin)
    with pytest.raises(PeerError, match=r"peer .* ended in round \d+; go on with --resume"):
        run(config(training__rounds=500), out=tmp_path / "x")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: its kernel ends the peers")
def test_whoever_kills_the_command_kills_its_peers(tmp_path):
    source = str(Path(parse_dfl.__file__).parents[1])
    command = ["run", "--engine", "peers", "--agents", "top=2", "--rounds", "100000", "--out", "x"]
    process = subprocess.Popen(
        [sys.executable, "-m", "parse_dfl", *command, "--eval-every", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": source},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert any("round 1/" in line for line in process.stderr)
    family = _family(process.pid)
    assert len(family) == 3  # the fork server and two peers
    process.kill()
    process.wait()
    process.stderr.close()
    give_up = time.monotonic() + PATIENCE_S
    while any(_alive(pid) for pid in family):
        time.sleep(0.05)
        assert time.monotonic() < give_up


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: it looks processes up in /proc")
def test_a_scheduler_that_ends_every_process_ends_the_run_with_checkpoints(tmp_path):
    source = str(Path(parse_dfl.__file__).parents[1])
    command = ["run", "--engine", "peers", "--agents", "top=2", "--rounds", "100000", "--out", "x"]
    process = subprocess.Popen(
        [sys.executable, "-m", "parse_dfl", *command, "--eval-every", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": source},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert any("round 1/" in line for line in process.stderr)
    for pid in [*_family(process.pid), process.pid]:
        os.kill(pid, signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert "parse-dfl: stopped by SIGTERM; go on with" in err
    assert len(list((tmp_path / "x" / "peers").glob("*/checkpoint.safetensors"))) == 2


def _family(pid):
    """All processes below one."""
    children = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [below for child in children for below in _family(child)]


def _alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_peers_that_diverge_leave_and_the_run_says_so(tmp_path):
    class Notes(type(SILENT)):
        def __init__(self):
            self.notes = []

        def note(self, text):
            self.notes.append(text)

    heard = Notes()
    settings = {"training__lr": 1e30, "training__optimizer": "sgd"}
    found = run(config(**settings, engine="peers"), out=tmp_path / "x", listener=heard)
    names = sorted(path.stem for path in (tmp_path / "x" / "agents").iterdir())
    assert found["diverged"]["agents"] == names
    left = [text for text in heard.notes if "leaves the others and sends nothing more" in text]
    assert len(left) == len(names)
    assert not (tmp_path / "x" / "slices.npz").exists()


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"method": "oracle"}, "the oracle, which is centralised"),
        ({"compile": True}, "--compile"),
        ({"device": "cuda"}, "--device cuda"),
        ({"training.dtype": "bfloat16"}, "--dtype bfloat16"),
    ],
)
def test_what_peers_cannot_do_is_refused(settings, what):
    with pytest.raises(ConfigError, match=f"engine 'peers' cannot run {what}; use engine"):
        run(config(**settings))


def test_nor_ingredients_of_ones_own_nor_several_seeds(monkeypatch):
    with pytest.raises(ConfigError, match="cannot run ingredients of your own from Python"):
        run(config(), overrides=Overrides(encoders={"x": None}))
    with pytest.raises(ConfigError, match="several seeds side by side, which engine 'peers'"):
        compare(config(), ["parse"], [0, 1])


def test_bad_data_is_an_error_before_anything_starts(tmp_path):
    with pytest.raises(DataError, match="unknown data set 'digtis'"):
        run(config(data__data="digtis"), out=tmp_path / "x")


def test_rounds_that_some_peers_had_done_before_a_crash_hold_nobody_up(tmp_path):
    """One peer's checkpoint is of round 4, the others' are of round 2."""
    setup = prepare(config(**{"training.rounds": 8, "eval_every": 2}), [0])
    (tmp_path / "peers").mkdir()
    session = PeerSession(setup, tmp_path, SILENT)
    scores = dict.fromkeys(SCORES, 0.5)
    names = [part.agent.name for part in setup.agent_data]
    for round in range(3, 9):
        for name in names if round > 4 else names[1:]:
            message = {"kind": "round", "round": round, "payload": {"x": 10}, "scores": None}
            session._take(name, message | ({"scores": scores} if round % 2 == 0 else {}))
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    assert sorted({row["round"] for row in rows}) == [6, 8]
    progress = read_json(tmp_path / "peers" / "progress.json")
    assert (progress["round"], progress["payload"]["rounds"]) == (8, 6)
