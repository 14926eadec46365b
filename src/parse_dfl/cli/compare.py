"""Add ``parse-dfl compare``: train several methods on equal terms."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from parse_dfl.cli.output import (
    add_output,
    console,
    default_out,
    interruptible,
    list_files,
    progress,
)
from parse_dfl.cli.parser import Commands, add_command, add_options, at_most, configuration, over
from parse_dfl.cli.processes import agreed, kept, tune_compiled
from parse_dfl.config import SETTINGS, RunConfig, method_spec, with_values
from parse_dfl.errors import CheckpointError, ConfigError, DivergenceError
from parse_dfl.process import command, launch
from parse_dfl.runs.resuming import Kept, check_more, go_on_with, kept_comparison

METHODS = "parse,local,dsgd-task,dsgd-modality,dsgd-hybrid,harmony"
SEEDS = 3
MOST_SEEDS = 10_000
EXAMPLES = (
    "parse-dfl compare --data digits",
    "parse-dfl compare --data motionsense --methods parse,harmony,parse@dsgd-hybrid --seeds 5",
    "parse-dfl compare --resume runs/digits-compare-seed0",
)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "compare",
        execute,
        usage="[options]",
        summary="Train several methods on the same data and seeds, and report the differences",
        examples=EXAMPLES,
    )
    group = parser.add_argument_group("what is compared")
    group.add_argument(
        "--methods",
        default=argparse.SUPPRESS,
        metavar="NAME,NAME",
        help=f"as 'run --help' lists them (default: {METHODS})",
    )
    group.add_argument(
        "--seeds",
        type=at_most(MOST_SEEDS),
        default=argparse.SUPPRESS,
        metavar="COUNT",
        help=f"seeds, counted up from --seed (default: {SEEDS})",
    )
    add_options(parser, [path for path in SETTINGS if path != "method"])
    add_output(
        parser,
        default="runs/DATA-compare-seedN",
        resume="go on with the stopped comparison in DIR; every setting comes from there; there "
        "may be more --methods or --seeds",
    )


def execute(args: argparse.Namespace) -> None:
    """Train all, then print the table, and write the report with its pictures."""
    before = kept(lambda: kept_comparison(args.resume)) if args.resume else None
    config, methods, seeds = agreed(
        lambda: _started(args) if before is None else _resumed(args, before)
    )
    out: Path = args.resume or args.out or default_out(config, "compare")
    if config.compile:
        tune_compiled(args)
    from parse_dfl.runs.compare import compare

    go_on = f"go on with {command('compare', '--resume', str(out))}"
    with progress(quiet=args.quiet) as listener, interruptible(out, go_on):
        compare(
            config,
            methods,
            seeds,
            out=out,
            resume=args.resume is not None,
            overwrite=args.overwrite,
            listener=listener,
        )
    if launch().is_main:
        _show(out)


def _started(args: argparse.Namespace) -> tuple[RunConfig, list[str], list[int]]:
    methods = _methods(getattr(args, "methods", METHODS))
    config = configuration(args, method=methods[0])
    return config, methods, _seeds(config, args, SEEDS)


def _resumed(args: argparse.Namespace, before: Kept) -> tuple[RunConfig, list[str], list[int]]:
    """Return what the folder was started with, and the methods and seeds that are given besides."""
    changes = go_on_with(args.resume, before.config, over(before.config, args))
    config = with_values(before.config, changes)
    methods, seeds = list(before.methods), list(before.seeds)
    if not methods and not (hasattr(args, "methods") and hasattr(args, "seeds")):
        raise CheckpointError(
            f"{args.resume} does not say which methods and seeds it compares (an older version "
            "wrote it); give --methods and --seeds"
        )
    if hasattr(args, "methods"):
        methods = _methods(args.methods)
        check_more(args.resume, "methods", before.methods, methods)
    if hasattr(args, "seeds"):
        seeds = _seeds(config, args, SEEDS)
        check_more(args.resume, "seeds", before.seeds, seeds)
    return config, methods, seeds


def _seeds(config: RunConfig, args: argparse.Namespace, usual: int) -> list[int]:
    return list(range(config.seed, config.seed + getattr(args, "seeds", usual)))


def _methods(text: str) -> list[str]:
    methods = [name.strip() for name in re.split(r",(?![^(]*\))", text)]  # not inside (a=1,b=2)
    for name in methods:
        method_spec(name)
        if methods.count(name) > 1:
            raise ConfigError(f"{name!r} stands twice in --methods {text}; name each method once")
    return methods


def _show(out: Path) -> None:
    from parse_dfl.report.formatting import TerminalTable
    from parse_dfl.report.load import read_comparison
    from parse_dfl.report.tables.results import comparison_table
    from parse_dfl.runs.reporting import ROLES, write_report

    comparison = read_comparison(out, ROLES)
    console().print(TerminalTable(comparison_table(comparison)))
    page = write_report(out)
    print(list_files(out))
    print(f"report: {page}")
    for picture in sorted((out / "figures").glob("*.png")):
        print(f"picture: {picture}")
    if comparison.diverged:
        names = [name for name, result in comparison.methods.items() if result.diverged]
        raise DivergenceError(
            f"{out}: {', '.join(names)} diverged; the note below the table says where"
        )
