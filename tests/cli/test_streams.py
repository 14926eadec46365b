"""Closed, full and narrow-minded outputs, as a shell makes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import parse_dfl
from parse_dfl.text import showable

RUN = ["run", "--data", "good.npz", "--agents", "a=1,b=1", "--rounds", "1", "--latent", "3",
       "--hidden", "4", "--samples-per-agent", "8", "--out", "x"]  # fmt: skip


def shell(line, argv, folder, **environment):
    """Run ``line``, in which $P is the command with ``argv``; status and what came out."""
    command = f"P() {{ {sys.executable} -m parse_dfl {' '.join(argv)}; }}; {line}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        check=False,
        cwd=folder,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(parse_dfl.__file__).parents[1]), **environment},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def recordings(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"a": rng.normal(size=(90, 3)), "b": rng.normal(size=(90, 4))}
    np.savez(tmp_path / "good.npz", **arrays, label=np.arange(90) % 3)
    return tmp_path


@pytest.mark.parametrize("line", ["P 2>&1 | true", "P >&- 2>&-"])
def test_a_run_that_nobody_watches_ends_well_with_its_records(line, recordings):
    status, out, err = shell(line, RUN, recordings)
    assert (status, out, err) == (0, b"", b"")
    assert json.loads((recordings / "x" / "summary.json").read_text())["threads"] == 1


@pytest.mark.parametrize("argv", [["data"], ["run", "--help"], ["--version"]])
def test_a_reader_that_leaves_is_no_error(argv, tmp_path):
    assert shell("P | true", argv, tmp_path) == (0, b"", b"")


def test_an_error_is_never_told_on_standard_output(tmp_path):
    assert shell("P 2>&-", ["rnu"], tmp_path) == (2, b"", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_output_that_cannot_be_kept_is_an_error(tmp_path):
    status, _, err = shell("P >/dev/full", ["data"], tmp_path)
    assert status == 2
    assert err.startswith(b"parse-dfl: cannot write the output: No space left on device")
    assert err.count(b"\n") == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
@pytest.mark.parametrize("argv", [["run", "--help"], ["data", "digits"]])
def test_any_encoding_will_do(argv, environment, tmp_path):
    status, out, err = shell("P", argv, tmp_path, **environment)
    assert (status, err) == (0, b"")
    assert b"\xe2" not in out
    assert b"\\x" not in out


def test_likenesses():
    assert showable("84 ± 3 − β₁ × 2", "ascii") == "84 +- 3 - beta1 x 2"
    assert showable("84 ± 3 − 1", "latin-1") == "84 ± 3 - 1"
    assert showable("Ωx", "ascii") == "\\u03a9x"
    assert showable("a\udcffb", "utf-8") == "a\\udcffb"
