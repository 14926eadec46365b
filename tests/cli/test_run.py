from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from parse_dfl.cli import main
from parse_dfl.cli.output import default_out
from parse_dfl.config import RunConfig, with_values
from parse_dfl.runs.folder import locked
from parse_dfl.runs.resuming import claim


@pytest.fixture
def engine(stand_in, tmp_path, monkeypatch):
    """A stand-in engine that writes an empty summary and remembers how it was called."""
    monkeypatch.chdir(tmp_path)
    calls = []

    def run(config, *, out, overwrite, listener):
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.json").touch()
        (out / "agents").mkdir(exist_ok=True)
        calls.append((config, out, overwrite))

    def resume_run(directory, listener, changes):
        calls.append((directory, changes))

    summary = SimpleNamespace(name="x", diverged=None)
    stand_in("parse_dfl.runs.run", run=run, resume_run=resume_run)
    stand_in("parse_dfl.report.load", read_run=lambda out: SimpleNamespace(summary=summary))
    stand_in("parse_dfl.report.tables.results", run_table=lambda run: f"table of {run.name}")
    stand_in("parse_dfl.report.formatting", TerminalTable=str, UNLIMITED=100_000)
    return calls


def test_a_run_ends_with_its_table_and_its_files(engine, capsys):
    assert main(["run", "--rounds", "3", "--out", "x", "--overwrite"]) == 0
    assert engine == [(with_values(RunConfig(), {"training.rounds": 3}), Path("x"), True)]
    assert capsys.readouterr().out == "table of x\nx: agents/, summary.json\n"


def test_the_folder_has_a_name_that_says_what_it_holds(engine):
    assert main(["run", "--method", "local", "--seed", "4", "--quiet"]) == 0
    assert engine[0][1] == Path("runs/digits-local-seed4")
    config = with_values(RunConfig(), {"data.data": "some/where/x.npz"})
    assert default_out(config, "parse") == Path("runs/x-parse-seed0")


def test_resume_takes_everything_from_the_folder(engine, capsys):
    Path("x").mkdir()
    claim(Path("x"), with_values(RunConfig(), {"training.lr": 0.5}))
    assert main(["run", "--resume", "x", "--quiet"]) == 0
    assert main(["run", "--resume", "x", "--lr", "0.5", "--data-dir", "d", "--quiet"]) == 0
    assert engine == [(Path("x"), {}), (Path("x"), {"data.data_dir": "d"})]
    capsys.readouterr()
    Path("y.toml").write_text("rounds = 3\n")
    for surplus, named in (
        (["--lr", "1"], "training.lr is 0.5 there, 1.0 here."),
        (["--config", "y.toml"], "training.rounds is 100 there, 3 here."),
        (["--overwrite"], "--overwrite and --resume exclude each other"),
    ):
        assert main(["run", "--resume", "x", *surplus]) == 2
        assert named in capsys.readouterr().err


def test_an_experiment_file_for_several_methods_serves_one(engine, capsys):
    Path("y.toml").write_text('[method_options]\n"parse.lr" = 0.5\n"local.lr" = 0.25\n')
    assert main(["run", "--config", "y.toml", "--method", "local"]) == 0
    assert capsys.readouterr().err == "not used, options of other methods: parse.lr\n"
    assert main(["run", "--config", "y.toml", "--lr", "0.125"]) == 0
    assert engine[1][0].training.lr == 0.125
    assert engine[1][0].method_options == {}


def test_one_that_is_stopped_before_it_begins_leaves_the_folder_of_another_alone(
    engine, stand_in, capsys
):
    def run(config, *, out, overwrite, listener):
        raise KeyboardInterrupt

    stand_in("parse_dfl.runs.run", run=run)
    folder = Path("my run")
    folder.mkdir()
    (folder / "config.json").touch()
    with locked(folder):
        assert main(["run", "--out", "my run", "--overwrite"]) == 130
    assert capsys.readouterr().err == "parse-dfl: interrupted; nothing was written\n"


@pytest.mark.parametrize("has_begun", [True, False])
def test_ctrl_c_says_how_to_go_on(engine, stand_in, capsys, has_begun):
    def run(config, *, out, overwrite, listener):
        if has_begun:
            out.mkdir()
            (out / "config.json").touch()
        raise KeyboardInterrupt

    stand_in("parse_dfl.runs.run", run=run)
    assert main(["run", "--out", "my run"]) == 130
    hint = "go on with parse-dfl run --resume 'my run'" if has_begun else "nothing was written"
    assert capsys.readouterr().err == f"parse-dfl: interrupted; {hint}\n"
