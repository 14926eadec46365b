"""Add ``parse-dfl run``: train one method."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from parse_dfl.cli.output import (
    add_output,
    console,
    default_out,
    interruptible,
    list_files,
    progress,
)
from parse_dfl.cli.parser import Commands, add_command, add_options, configuration, given, over
from parse_dfl.cli.processes import agreed, kept, tune_compiled
from parse_dfl.config import RunConfig
from parse_dfl.config.methods import METHODS
from parse_dfl.errors import ConfigError, DivergenceError
from parse_dfl.process import command, launch
from parse_dfl.runs.resuming import go_on_with, kept_run

EXAMPLES = (
    "parse-dfl run --data digits --rounds 50",
    "parse-dfl run --data motionsense --agents acc=5,gyro=20,acc+gyro=5 --partition dirichlet:0.3",
    "parse-dfl run --resume runs/digits-parse-seed0",
)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "run",
        execute,
        usage="[options]",
        summary="Train agents by one method, and save them with their accuracies",
        examples=EXAMPLES,
    )
    add_options(parser)
    add_output(
        parser,
        default="runs/DATA-METHOD-seedN",
        resume="go on with the stopped run in DIR; every setting comes from there",
    )
    methods = "\n".join(f"  {name:17} {text}" for name, text in METHODS.items())
    control = "  parse@RULE        PARSE's network under another sharing rule: the control"
    parser.epilog = f"methods:\n{methods}\n{control}\n\n{parser.epilog}"


def execute(args: argparse.Namespace) -> None:
    """Train a method, then print its table and the files written."""
    out = _resume(args) if args.resume else _start(args)
    if not launch().is_main:
        return
    from parse_dfl.report.formatting import TerminalTable
    from parse_dfl.report.load import read_run
    from parse_dfl.report.tables.results import run_table

    summary = read_run(out).summary
    assert summary is not None
    console().print(TerminalTable(run_table(summary)))
    print(list_files(out))
    if summary.diverged:
        raise DivergenceError(
            f"{out}: {summary.diverged.sentence}; try a lower --lr than {summary.lr:g}"
        )


def _start(args: argparse.Namespace) -> Path:
    config = agreed(lambda: configuration(args))
    _note_of_others(config)
    out: Path = args.out or default_out(config, config.method)
    if config.compile:
        tune_compiled(args)
    from parse_dfl.runs.run import run

    with progress(quiet=args.quiet) as listener, interruptible(out, _how_to_resume(out)):
        run(config, out=out, overwrite=args.overwrite, listener=listener)
    return out


def _resume(args: argparse.Namespace) -> Path:
    out: Path = args.resume
    if args.overwrite:
        raise ConfigError("--overwrite and --resume exclude each other; give one of them")
    changes = _changes(args)
    if _was_compiled(out):
        tune_compiled(args)
    from parse_dfl.runs.run import resume_run

    with progress(quiet=args.quiet) as listener, interruptible(out, _how_to_resume(out)):
        resume_run(out, listener=listener, changes=changes)
    return out


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    """Return the free settings given besides ``--resume``; others must be those of the folder."""
    if not (given(args) or args.config):
        return {}
    config = kept(lambda: kept_run(args.resume)).config
    return agreed(lambda: go_on_with(args.resume, config, over(config, args, config.method)))


def _note_of_others(config: RunConfig) -> None:
    """Say which options of the experiment file are another method's."""
    others = [
        key
        for key in config.method_options
        if "." in key and key.rpartition(".")[0] != config.method
    ]
    if others and launch().is_main:
        print(f"not used, options of other methods: {', '.join(others)}", file=sys.stderr)


def _was_compiled(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):  # told when the run is resumed
        return False
    return isinstance(config, dict) and config.get("compile") is True


def _how_to_resume(out: Path) -> str:
    return f"go on with {command('run', '--resume', str(out))}"
