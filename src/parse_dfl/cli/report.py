"""``parse-dfl report``: tables and pictures of what was run."""

from __future__ import annotations

import argparse
from pathlib import Path

from parse_dfl.cli.parser import Commands, accuracies, add_command

EXAMPLES = (
    "parse-dfl report runs/digits-parse-seed0",
    "parse-dfl report runs/digits-compare-seed0",
    "parse-dfl report runs --reach 0.65,0.75",
)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "report",
        execute,
        usage="DIR [options]",
        summary="Write one HTML page with the tables and pictures of what was run",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "directory",
        type=Path,
        metavar="DIR",
        help="a run, a comparison, or a folder of comparisons; gets report.html",
    )
    parser.add_argument(
        "--reach",
        type=accuracies,
        metavar="A,A",
        help="accuracies for which to tell the rounds and bytes needed (default: 0.3,0.4,…,0.9)",
    )


def execute(args: argparse.Namespace) -> None:
    """Write the page and print where it lies."""
    from parse_dfl.report.page import write_report

    levels = {"levels": args.reach} if args.reach else {}
    print(write_report(args.directory, **levels))
