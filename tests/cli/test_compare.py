from __future__ import annotations

from pathlib import Path

import pytest

from parse_dfl.cli import main
from parse_dfl.config import RunConfig, with_values
from parse_dfl.runs.resuming import claim


class Read(type(Path())):
    diverged = ()


@pytest.fixture
def engine(stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []

    def compare(config, methods, seeds, *, out, resume, overwrite, listener):
        out.mkdir(parents=True, exist_ok=True)
        (out / "comparison.json").touch()
        calls.append((list(methods), list(seeds), out, resume, overwrite))

    def write_report(directory):
        (directory / "figures").mkdir()
        (directory / "figures" / "curves.png").touch()
        return directory / "report.html"

    stand_in("parse_dfl.runs.compare", compare=compare)
    stand_in("parse_dfl.report.load", read_comparison=lambda folder, roles: Read(folder))
    stand_in("parse_dfl.report.cells", diverged_sentences=list)
    stand_in("parse_dfl.report.tables.results", comparison_table=lambda read: f"table of {read}")
    stand_in("parse_dfl.report.formatting", TerminalTable=str, UNLIMITED=100_000)
    stand_in("parse_dfl.runs.reporting", ROLES=None, write_report=write_report)
    return calls


def test_a_comparison_ends_with_table_report_and_pictures(engine, capsys):
    argv = ["--methods", "parse, parse@task", "--seeds", "2", "--seed", "5", "--out", "x"]
    assert main(["compare", *argv]) == 0
    assert engine == [(["parse", "parse@task"], [5, 6], Path("x"), False, False)]
    assert capsys.readouterr().out.splitlines() == [
        "table of x",
        "x: comparison.json, figures/",
        "report: x/report.html",
        "picture: x/figures/curves.png",
    ]


@pytest.fixture
def stopped(tmp_path):
    """A comparison that was stopped at once."""
    settings = {"training.lr": 0.25, "training.rounds": 7}
    claim(tmp_path, with_values(RunConfig(), settings), {"methods": ["local"], "seeds": [3, 4]})
    return tmp_path


def test_resume_takes_everything_from_the_folder(engine, stopped):
    assert main(["compare", "--resume", str(stopped)]) == 0
    assert engine == [(["local"], [3, 4], stopped, True, False)]


def test_what_is_given_again_must_be_the_same(engine, stopped, capsys):
    assert main(["compare", "--resume", str(stopped), "--lr", "0.25", "--methods", "local"]) == 0
    assert main(["compare", "--resume", str(stopped), "--lr", "0.5", "--topology", "full"]) == 2
    told = capsys.readouterr().err
    assert "overlay.topology is ring there, full here; training.lr is 0.25 there, 0.5 here" in told
    assert len(engine) == 1


def test_there_may_be_more_methods_and_seeds_not_fewer(engine, stopped, capsys):
    more = ["--methods", "local,parse", "--seeds", "5"]
    assert main(["compare", "--resume", str(stopped), *more]) == 0
    assert engine[0][:2] == (["local", "parse"], [0, 1, 2, 3, 4])
    assert main(["compare", "--resume", str(stopped), "--methods", "parse"]) == 2
    assert "compares methods local, not parse" in capsys.readouterr().err
    assert main(["compare", "--resume", str(stopped), "--seeds", "4"]) == 2
    assert "compares seeds 3,4, not 0,1,2,3" in capsys.readouterr().err


def test_a_run_is_no_comparison_and_the_other_way_round(engine, stopped, capsys):
    assert main(["run", "--resume", str(stopped)]) == 2
    assert f"holds a comparison; go on with parse-dfl compare --resume {stopped}" in (
        capsys.readouterr().err
    )
    (stopped / "metrics.jsonl").touch()
    assert main(["compare", "--resume", str(stopped)]) == 2
    assert f"holds a run; go on with parse-dfl run --resume {stopped}" in capsys.readouterr().err


def test_an_older_comparison_does_not_say_what_it_compares(engine, tmp_path, capsys):
    claim(tmp_path, RunConfig())
    assert main(["compare", "--resume", str(tmp_path)]) == 2
    assert "does not say which methods and seeds" in capsys.readouterr().err
    assert main(["compare", "--resume", str(tmp_path), "--methods", "local", "--seeds", "1"]) == 0
    assert engine[0][:2] == (["local"], [0])


def test_the_default_folder(engine):
    assert main(["compare", "--quiet"]) == 0
    assert engine[0][2] == Path("runs/digits-compare-seed0")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--methods", "parse,locl"], "unknown method 'locl'; did you mean 'local'"),
        (["--methods", "local,local"], "'local' stands twice in --methods local,local"),
        (["--seeds", "0"], "argument --seeds: 0 is too few; give 1 or more"),
        (["--method", "parse"], "unknown option '--method'; did you mean '--methods'"),
    ],
)
def test_what_cannot_be_compared_is_named(engine, capsys, argv, message):
    assert main(["compare", *argv]) == 2
    assert capsys.readouterr().err.startswith(f"parse-dfl: {message}")
    assert engine == []


def test_ctrl_c_says_how_to_go_on(engine, stand_in, capsys):
    def compare(config, methods, seeds, *, out, **_):
        out.mkdir()
        (out / "config.json").touch()
        raise KeyboardInterrupt

    stand_in("parse_dfl.runs.compare", compare=compare)
    assert main(["compare", "--out", "x"]) == 130
    assert "go on with parse-dfl compare --resume x" in capsys.readouterr().err
