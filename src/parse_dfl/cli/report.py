"""``parse-dfl report``: tables and pictures of what was run."""

from __future__ import annotations

import argparse
from pathlib import Path

from parse_dfl.cli.parser import Commands, add_command

EXAMPLES = (
    "parse-dfl report runs/digits-parse-seed0",
    "parse-dfl report runs/digits-compare-seed0",
    "parse-dfl report runs",
)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "report",
        execute,
        usage="DIR",
        summary="Write one HTML page with the tables and pictures of what was run",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "directory",
        type=Path,
        metavar="DIR",
        help="a run, a comparison, or a folder of comparisons; gets report.html",
    )


def execute(args: argparse.Namespace) -> None:
    """Write the page and print where it lies."""
    from parse_dfl.report.page import write_report

    print(write_report(args.directory))
