"""``parse-dfl compare``: several methods on equal terms."""

from __future__ import annotations

import argparse
from pathlib import Path

from parse_dfl.cli.options import add_options, configuration
from parse_dfl.cli.output import add_output, console, default_out, interruptible, list_files
from parse_dfl.cli.parser import Commands, add_command
from parse_dfl.cli.progress import progress
from parse_dfl.cli.ranks import agreed
from parse_dfl.cli.readers import at_most
from parse_dfl.cli.threads import tune_compiled
from parse_dfl.distributed.launch import launch
from parse_dfl.errors import ConfigError
from parse_dfl.experiments.config import PLACES
from parse_dfl.methods.names import check_method

METHODS = "parse,local,dsgd-task,dsgd-modality,dsgd-hybrid,harmony"
SEEDS = 3
MOST_SEEDS = 10_000
EXAMPLES = (
    "parse-dfl compare --data digits",
    "parse-dfl compare --data motionsense --methods parse,harmony,parse@dsgd-hybrid --seeds 5",
    "parse-dfl compare --data digits --resume runs/digits-compare-seed0",
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
        default=METHODS,
        metavar="NAME,NAME",
        help=f"as 'run --help' lists them (default: {METHODS})",
    )
    group.add_argument(
        "--seeds",
        type=at_most(MOST_SEEDS),
        default=SEEDS,
        metavar="COUNT",
        help=f"seeds, counted up from --seed (default: {SEEDS})",
    )
    add_options(parser, [place for place in PLACES if place != "method"])
    add_output(
        parser,
        default="runs/DATA-compare-seedN",
        resume="go on with the stopped comparison in DIR; give the same options as before",
    )


def execute(args: argparse.Namespace) -> None:
    """Train all, then print the table, and write the report with its pictures."""
    methods = _methods(args.methods)
    config = agreed(lambda: configuration(args))
    out: Path = args.resume or args.out or default_out(config, "compare")
    if config.compile:
        tune_compiled(args)
    from parse_dfl.experiments.compare import compare

    seeds = range(config.seed, config.seed + args.seeds)
    go_on = f"go on by the same command with --resume {out} (in place of --out)"
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
    if launch().leads:
        _show(out)


def _methods(text: str) -> list[str]:
    methods = [name.strip() for name in text.split(",")]
    for name in methods:
        check_method(name)
        if methods.count(name) > 1:
            raise ConfigError(f"{name!r} stands twice in --methods {text}; name each method once")
    return methods


def _show(out: Path) -> None:
    from parse_dfl.report.page import write_report
    from parse_dfl.report.reading import read_comparison
    from parse_dfl.report.tables import comparison_table

    console().print(comparison_table(read_comparison(out)))
    page = write_report(out)
    print(list_files(out))
    print(f"report: {page}")
    for picture in sorted((out / "figures").glob("*.png")):
        print(f"picture: {picture}")
