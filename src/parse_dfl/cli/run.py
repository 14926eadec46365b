"""``parse-dfl run``: train one method."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from parse_dfl.cli.options import add_options, configuration, given
from parse_dfl.cli.output import add_output, console, default_out, interruptible, list_files
from parse_dfl.cli.parser import Commands, add_command
from parse_dfl.cli.progress import progress
from parse_dfl.cli.ranks import agreed
from parse_dfl.cli.threads import tune_compiled
from parse_dfl.distributed.launch import launch
from parse_dfl.errors import ConfigError
from parse_dfl.methods.names import METHODS

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
    """Train, then print the table and where the files lie."""
    out = _resume(args) if args.resume else _start(args)
    if not launch().leads:
        return
    from parse_dfl.report.reading import read_run
    from parse_dfl.report.tables import run_table

    summary = read_run(out).summary
    assert summary is not None
    console().print(run_table(summary))
    print(list_files(out))


def _start(args: argparse.Namespace) -> Path:
    config = agreed(lambda: configuration(args))
    out: Path = args.out or default_out(config, config.method)
    if config.compile:
        tune_compiled(args)
    from parse_dfl.experiments.run import run

    with progress(quiet=args.quiet) as listener, interruptible(out, _how_to_resume(out)):
        run(config, out=out, overwrite=args.overwrite, listener=listener)
    return out


def _resume(args: argparse.Namespace) -> Path:
    out: Path = args.resume
    surplus = [*given(args), *(["--config"] if args.config else [])]
    surplus += ["--overwrite"] if args.overwrite else []
    if surplus:
        raise ConfigError(f"--resume takes every setting from {out}; leave out {surplus[0]}")
    if _was_compiled(out):
        tune_compiled(args)
    from parse_dfl.experiments.run import resume_run

    with progress(quiet=args.quiet) as listener, interruptible(out, _how_to_resume(out)):
        resume_run(out, listener=listener)
    return out


def _was_compiled(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):  # told when the run is resumed
        return False
    return isinstance(config, dict) and config.get("compile") is True


def _how_to_resume(out: Path) -> str:
    return f"go on with {shlex.join(['parse-dfl', 'run', '--resume', str(out)])}"
