"""The command line on two ranks: from torchrun to the summary, and from a death to the end."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

import parse_dfl
from parse_dfl.cli import main
from parse_dfl.config import load_toml
from parse_dfl.engine.gossip import Gossip
from parse_dfl.runs.folder import read_json
from parse_dfl.runs.run import resume_run, run
from tests.ranks.rank_pool import together

CONFIG = """
agents = "top=2,bottom=2,bottom+top=2"
eval_every = 1
checkpoint_every = 1
[data]
samples_per_agent = "16"
[network]
latent = 9
hidden = 8
[training]
rounds = 2
batch_size = 8
dtype = "float64"
"""
SCORES = ("samples", "accuracy", "macro_f1", "local_accuracy", "loss")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The file of a run of two rounds, which writes a checkpoint after the first."""
    path = tmp_path_factory.mktemp("config") / "exp.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def alone(config):
    """The summary of one process."""
    return run(load_toml(config))


def assert_same(found, alone):
    """Equal in all that does not tell time and place, within rounding."""
    for part in ("config", "overlays", "payload_bytes_per_link", "evaluated_samples"):
        assert found[part] == alone[part]
    assert scores(found) == pytest.approx(scores(alone), rel=1e-9)


def scores(summary):
    """(agent, score) → its value."""
    return {(agent["name"], name): agent[name] for agent in summary["agents"] for name in SCORES}


def test_torchrun_ends_with_the_summary_of_one_process(config, alone, tmp_path):
    out = tmp_path / "x"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launch, "-m", "parse_dfl", "run", "--config", str(config), "--out", str(out)]
    source = str(Path(parse_dfl.__file__).parents[1])
    done = subprocess.run(
        command,
        check=False,
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"{out}: agents/, config.json") == 1  # the first rank alone prints
    assert re.findall(r"^parse: round (\d)/2", done.stderr, re.MULTILINE) == ["1", "2"]
    summary = read_json(out / "summary.json")
    assert summary["ranks"] == 2
    assert_same(summary, alone)


def command(ranks, *arguments):
    """Status and stderr of the command line on one of several ranks."""
    names = {"RANK": ranks.rank, "WORLD_SIZE": ranks.size, "MASTER_ADDR": "", "MASTER_PORT": ""}
    os.environ.update({name: str(value) for name, value in names.items()})
    found = patch("parse_dfl.ranks.group.launched_ranks", lambda: ranks)
    with found, contextlib.redirect_stderr(io.StringIO()) as told:
        return main(arguments), told.getvalue()


def dying(ranks, *arguments):
    """The command line; the second rank is killed when it should exchange for the second time."""
    step = Gossip.step

    def deadly(*parts, round, **more):
        if ranks.rank == 1 and round == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        step(*parts, round=round, **more)

    with patch.object(Gossip, "step", deadly):
        return command(ranks, *arguments)


def test_one_process_goes_on_where_two_ranks_ended_by_the_death_of_one(config, alone, tmp_path):
    out = tmp_path / "x"
    started = ("run", "--config", str(config), "--out", str(out), "--quiet")
    (status, told), killed = together(2, dying, tmp_path / "crew", *started)
    assert killed is None
    assert status == 2
    assert re.fullmatch(
        r"parse-dfl: rank 0 of 2 \(\S+\) lost rank 1: .+; 2 rounds were done, and the checkpoint "
        rf"holds 1; go on with parse-dfl run --resume {out}, on any number of ranks\n",
        told,
    )
    summary = resume_run(out)
    assert summary["ranks"] == 1
    assert_same(summary, alone)


def test_two_ranks_that_diverge_end_with_the_status_of_one_process(config, tmp_path):
    out = tmp_path / "x"
    started = ("run", "--config", str(config), "--lr", "1e30", "--out", str(out), "--quiet")
    (status, told), (other, nothing) = together(2, command, tmp_path / "crew", *started)
    assert (status, other, nothing) == (3, 0, "")
    assert f"parse-dfl: {out}: 6 agents have diverged since round 1" in told
    assert read_json(out / "summary.json")["diverged"]["round"] == 1
    assert not (out / "slices.npz").exists()
