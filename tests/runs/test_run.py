from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import parse_dfl
from parse_dfl.cli import main
from parse_dfl.config import from_dict, load_toml, to_dict
from parse_dfl.errors import CheckpointError, ConfigError, OutputError
from parse_dfl.runs.folder import read_json
from parse_dfl.runs.run import resume_run, run

SUMMARY = {
    "method", "data", "seed", "rounds", "groups", "mean_accuracy", "payload_bytes_per_round",
    "payload_bytes_per_link", "wall_seconds", "seconds_per_round", "peak_memory_bytes", "config",
}  # fmt: skip
GROUP = {"agents", "parameters", "accuracy", "macro_f1", "local_accuracy"}
PATIENCE_S = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tests.runs.conftest import SMALL, RunConfig, with_values

    out = tmp_path_factory.mktemp("runs") / "x"
    run(with_values(RunConfig(), SMALL), out=out)
    return out


def test_the_summary_holds_what_the_contract_promises(folder, small):
    summary = read_json(folder / "summary.json")
    assert summary.keys() >= SUMMARY
    assert set(summary["groups"]) == {"top", "bottom", "bottom+top"}
    assert all(group.keys() >= GROUP for group in summary["groups"].values())
    assert summary["payload_bytes_per_link"].keys() == {"mean", "max"}
    assert summary["seconds_per_round"].keys() == {"train", "mix", "evaluate"}
    assert summary["config"] == to_dict(small())
    assert (summary["method"], summary["data"], summary["seed"], summary["rounds"]) == (
        "parse", "digits", 0, 6,
    )  # fmt: skip
    mean = sum(g["agents"] * g["accuracy"] for g in summary["groups"].values()) / 6
    assert summary["mean_accuracy"] == pytest.approx(mean)


def test_the_folder_holds_what_the_contract_promises(folder):
    assert {path.name for path in folder.iterdir()} == {
        "agents", "config.json", "metrics.jsonl", "slices.npz", "summary.json",
    }  # fmt: skip
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [(row["round"], row["group"]) for row in rows] == [
        (round, group) for round in (2, 4, 6) for group in ("bottom", "bottom+top", "top")
    ]
    final = read_json(folder / "summary.json")["groups"]
    assert all(row["accuracy"] == final[row["group"]]["accuracy"] for row in rows[-3:])


def test_the_configuration_in_the_summary_runs_again(folder):
    summary = read_json(folder / "summary.json")
    again = run(from_dict(summary["config"]))
    assert again["groups"] == summary["groups"]


def test_a_finished_run_gives_its_summary_again(folder):
    assert resume_run(folder) == read_json(folder / "summary.json")


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(CheckpointError, match=r"nothing to resume: .* holds no config\.json"):
        resume_run(tmp_path)


def test_a_folder_in_use_needs_overwrite(folder, small, tmp_path):
    with pytest.raises(OutputError, match="is not empty; add --overwrite"):
        run(small(), out=folder)
    out = tmp_path / "x"
    run(small(), out=out)
    other = run(small(seed=1), out=out, overwrite=True)
    assert read_json(out / "summary.json")["seed"] == other["seed"] == 1
    rounds = [json.loads(row)["round"] for row in (out / "metrics.jsonl").read_text().splitlines()]
    assert rounds == [2] * 3 + [4] * 3 + [6] * 3


def test_bad_settings_leave_no_folder(small, tmp_path):
    with pytest.raises(ConfigError):
        run(small(method="pasre"), out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


LONG = """
agents = "top=1,bottom=1,bottom+top=1"
samples_per_agent = "8"
latent = 3
hidden = 4
rounds = 200
eval_every = 50
checkpoint_every = 20
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the long run, uninterrupted."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "long.toml").write_text(LONG)
    run(load_toml(folder / "long.toml"), out=folder / "x")
    return folder / "x"


def start(tmp_path: Path) -> subprocess.Popen[str]:
    """A run in a process of its own, once it has written a checkpoint."""
    (tmp_path / "long.toml").write_text(LONG)
    argv = ["run", "--config", "long.toml", "--out", "x", "--quiet"]
    process = subprocess.Popen(
        [sys.executable, "-m", "parse_dfl", *argv],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(parse_dfl.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + PATIENCE_S
    while not (tmp_path / "x" / "checkpoint.safetensors").exists():
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up
    return process


STOPS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "stopped by SIGHUP",
}


@pytest.mark.parametrize("number", [signal.SIGKILL, *STOPS])
def test_a_run_that_was_killed_is_resumed_with_the_same_numbers(number, whole, tmp_path):
    process = start(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    if number in STOPS:
        assert process.returncode == 128 + number
        told, _, hint = err.partition("; go on with ")
        assert told == f"parse-dfl: {STOPS[number]}"
        python, *words = shlex.split(hint)
        assert words == ["-m", "parse_dfl", "run", "--resume", "x"]
        assert shutil.which(python), "the hint names a command that is there"
    else:
        assert process.returncode == -signal.SIGKILL
    resumed, expected = resume_run(tmp_path / "x"), read_json(whole / "summary.json")
    assert resumed["agents"] == expected["agents"]
    assert resumed["groups"] == expected["groups"]
    rows = [(folder / "metrics.jsonl").read_text() for folder in (tmp_path / "x", whole)]
    assert rows[0] == rows[1]


def test_a_terminal_that_is_closed_ends_a_run_with_a_checkpoint(tmp_path):
    (tmp_path / "long.toml").write_text(LONG.replace("checkpoint_every = 20", ""))
    words = [sys.executable, "-m", "parse_dfl", "run", "--config", "long.toml", "--out", "x"]
    take = f"import fcntl, os, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv({words[0]!r}"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", f"{take}, {[*words, '--rounds', '100000']!r})"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(parse_dfl.__file__).parents[1])},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while b"top" not in shown:  # the bar shows accuracies once rounds are being done
        shown += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(PATIENCE_S) == 128 + signal.SIGHUP
    assert (tmp_path / "x" / "checkpoint.safetensors").exists()


def test_two_commands_do_not_write_to_one_folder(tmp_path, monkeypatch, capsys):
    process = start(tmp_path)
    monkeypatch.chdir(tmp_path)
    same = ["--config", "long.toml", "--out", "x"]
    for words in (["run", *same], ["run", *same, "--overwrite"], ["run", "--resume", "x"]):
        assert main([*words, "--quiet"]) == 2
        assert f"x is in use by process {process.pid} on " in capsys.readouterr().err
    assert process.poll() is None
    process.kill()
    process.communicate()
    assert main(["run", *same, "--overwrite", "--quiet", "--rounds", "1"]) == 0
    rows = [
        json.loads(line) for line in (tmp_path / "x" / "metrics.jsonl").read_text().splitlines()
    ]
    assert {row["round"] for row in rows} == {1}


RECOMMENDED = Path(__file__).parents[2] / "examples" / "recommended.toml"


@pytest.mark.parametrize(("method", "lr"), [("parse", 0.006), ("harmony", 0.0015)])
def test_a_file_for_several_methods_gives_each_its_own_rate(small, method, lr):
    file = load_toml(RECOMMENDED)
    found = run(replace(small(), method=method, method_options=file.method_options))
    assert found["lr"] == lr


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("hamony.lr", 0.1, r"option 'hamony.lr': unknown method 'hamony'; did you mean 'harmony'"),
        ("harmony.tauu", 0.1, r"option 'harmony.tauu': .* no option 'tauu'; did you mean 'tau'"),
        ("harmony.lr", "x", r"option 'harmony.lr': .* must be a number, not 'x'"),
        ("parse.lr", True, r"option 'parse.lr': .* must be a number, not True"),
    ],
)
def test_mistakes_in_the_options_of_other_methods_are_errors_all_the_same(
    small, key, value, message
):
    with pytest.raises(ConfigError, match=message):
        run(small(method_options={key: value}))


def test_a_folder_goes_on_only_with_what_it_was_started_with(small, stop_after, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(small(), out=tmp_path / "x", listener=stop_after(3))
    before = (tmp_path / "x" / "config.json").read_text()
    other = small(**{"network.latent": 12, "eval_every": 3})
    with pytest.raises(CheckpointError, match=r"settings: network.latent is 9 there, 12 here\."):
        run(other, out=tmp_path / "x", resume=True)
    assert (tmp_path / "x" / "config.json").read_text() == before
