"""``parse-dfl audit``: what the slices of trained agents really hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from parse_dfl.cli.parser import Commands, add_command
from parse_dfl.cli.readers import positive

EXAMPLES = (
    "parse-dfl audit runs/synthetic-parse-seed0",
    "parse-dfl audit runs/motionsense-compare-seed0/parse/seed-0 --agents-per-group 5",
)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "audit",
        execute,
        usage="RUN [options]",
        summary="Measure what the slices of a run's agents hold, on samples none has learnt from",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "directory", type=Path, metavar="RUN", help="the folder of a finished run; gets audit.json"
    )
    parser.add_argument(
        "--agents-per-group",
        type=positive,
        default=2,
        metavar="COUNT",
        help="agents of each modality set, drawn by the seed (default: 2)",
    )
    parser.add_argument(
        "--probe-steps",
        type=positive,
        default=400,
        metavar="COUNT",
        help="training steps of each probe (default: 400)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of probes and draws (default: 0)"
    )


def execute(args: argparse.Namespace) -> None:
    """Measure, write the file, and print the tables."""
    from rich.console import Console

    from parse_dfl.experiments.audit import AUDIT, audit_run
    from parse_dfl.pid.audit.audit import AuditConfig
    from parse_dfl.report.page import write_report
    from parse_dfl.report.reading import read_run
    from parse_dfl.report.sections import audit_tables
    from parse_dfl.report.tables import grid_table

    audit_run(
        args.directory,
        agents_per_group=args.agents_per_group,
        config=AuditConfig(probe_steps=args.probe_steps, seed=args.seed),
        note=lambda text: print(text, file=sys.stderr, flush=True),
    )
    for grid in audit_tables(read_run(args.directory)):
        Console().print(grid_table(grid))
    page = write_report(args.directory)
    print(f"audit: {args.directory / AUDIT}")
    print(f"report: {page}")
    print(f"picture: {args.directory / 'figures' / 'audit-bits.png'}")
