from __future__ import annotations

from pathlib import Path

import pytest

from parse_dfl.cli import main


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

    stand_in("parse_dfl.experiments.compare", compare=compare)
    stand_in("parse_dfl.report.reading", read_comparison=Read)
    stand_in("parse_dfl.report.tables", comparison_table=lambda read: f"table of {read}")
    stand_in("parse_dfl.report.page", write_report=write_report)
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


def test_resume_names_the_folder_and_keeps_the_options(engine):
    assert main(["compare", "--resume", "x", "--seeds", "1"]) == 0
    assert engine[0][1:] == ([0], Path("x"), True, False)


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

    stand_in("parse_dfl.experiments.compare", compare=compare)
    assert main(["compare", "--out", "x"]) == 130
    assert "go on by the same command with --resume x" in capsys.readouterr().err
