from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import parse_dfl
from parse_dfl import __version__
from parse_dfl.cli import main
from parse_dfl.cli.output import Interrupted

SLOW = ("torch", "rich", "matplotlib", "networkx", "numpy", "scipy", "sklearn")
HELP = f"""
import sys
from parse_dfl.cli import main
try:
    main(sys.argv[1:])
finally:
    loaded = [name for name in {SLOW!r} if name in sys.modules]
    print("loaded:", *loaded)
"""


@pytest.mark.parametrize("command", [[], ["run"]])
def test_help_imports_nothing_slow(command):
    source = str(Path(parse_dfl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", HELP, *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert "usage: parse-dfl" in done.stdout
    assert done.stdout.endswith("loaded:\n")


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"parse-dfl {__version__}\n"


@pytest.mark.parametrize("command", ["run", "compare", "data", "report", "node", "cert"])
def test_every_command_teaches_by_three_examples(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    _, examples = capsys.readouterr().out.split("examples:\n")
    assert [line.split()[:2] for line in examples.splitlines()] == [["parse-dfl", command]] * 3


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            [],
            "give a command: run, compare, data, pid, report, audit, node, cert; "
            "see parse-dfl --help",
        ),
        (
            ["rnu"],
            "unknown command 'rnu'; did you mean 'run'? known: audit, cert, compare, data, node",
        ),
        (["--verson"], "unknown option '--verson'; did you mean '--version'? see parse-dfl --help"),
        (["run", "now"], "unexpected 'now' after 'run'; see parse-dfl run --help"),
        (["report"], "the following arguments are required: DIR; see parse-dfl report --help"),
        (
            ["run", "--seed", "x"],
            "argument --seed: 'x' is no whole number; see parse-dfl run --help",
        ),
        (["run", "--method", "parse@x"], "unknown sharing rule 'x'; known: dsgd-hybrid, "),
        (
            ["run", "--out", "a", "--resume", "b"],
            "argument --resume: not allowed with argument --out",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_two(argv, message, capsys):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"parse-dfl: {message}")
    assert err.count("\n") == 1


def test_an_unknown_option_offers_the_nearest(capsys):
    assert main(["run", "--rouns=3"]) == 2
    assert "unknown option '--rouns'; did you mean '--rounds'" in capsys.readouterr().err


def test_the_lines_of_a_message_become_one(capsys, monkeypatch, stand_in):
    from parse_dfl.errors import DataError

    def refuse(_, **options):
        raise DataError("two\n  lines")

    stand_in("parse_dfl.runs.reporting", write_report=refuse)
    assert main(["report", "x"]) == 2
    assert capsys.readouterr().err == "parse-dfl: two lines\n"


@pytest.mark.parametrize(
    ("stop", "line"),
    [(KeyboardInterrupt(), "interrupted"), (Interrupted("go on"), "interrupted; go on")],
)
def test_ctrl_c_is_130(stop, line, capsys, stand_in):
    def interrupted(_, **options):
        raise stop

    stand_in("parse_dfl.runs.reporting", write_report=interrupted)
    assert main(["report", "x"]) == 130
    assert capsys.readouterr().err == f"parse-dfl: {line}\n"


@pytest.mark.filterwarnings("always")
def test_a_warning_is_one_line_once(capsys, stand_in):
    def warn(directory, **options):
        for _ in range(2):
            warnings.warn("ring is\n too small", UserWarning, stacklevel=1)
        return directory / "report.html"

    stand_in("parse_dfl.runs.reporting", write_report=warn)
    assert main(["report", "x"]) == 0
    assert capsys.readouterr() == ("x/report.html\n", "warning: ring is too small\n")


def test_the_accuracies_to_reach_are_handed_on(capsys, stand_in):
    seen = []
    stand_in("parse_dfl.runs.reporting", write_report=lambda folder, **more: seen.append(more))
    assert main(["report", "x", "--reach", "0.5,0.75"]) == 0
    assert seen == [{"levels": [0.5, 0.75]}]
    assert main(["report", "x", "--reach", "80"]) == 2
    assert "80 is no accuracy; give 0.8 for 80 %" in capsys.readouterr().err
