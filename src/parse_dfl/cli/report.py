"""Add ``parse-dfl report`` and ``parse-dfl audit``: show what was run, and look into its agents."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from parse_dfl.cli.output import console
from parse_dfl.cli.parser import Commands, accuracies, add_command, add_option
from parse_dfl.cli.processes import add_threads
from parse_dfl.config import AuditConfig
from parse_dfl.settings import settings_of

REPORT_EXAMPLES = (
    "parse-dfl report runs/digits-parse-seed0",
    "parse-dfl report runs/digits-compare-seed0",
    "parse-dfl report runs --reach 0.65,0.75",
)
AUDIT_EXAMPLES = (
    "parse-dfl audit runs/synthetic-parse-seed0",
    "parse-dfl audit runs/motionsense-compare-seed0/parse/seed-0 --agents-per-group all",
)
MEASURES = """measured on samples that no agent has learnt from:
  probes          how well each slice tells the label and, on synthetic data, each true factor
  bits            redundant, unique and synergistic information of two modalities' slices about
                  the label, beside the data's own
  contribution    accuracy without each slice; samples that only both modalities get right
  predictability  how well a modality's slice predicts the other's
  dependence      between the slices of one modality

Probes are fitted and tuned on validation samples and training samples that no agent owns; all
figures are of the part that the run was evaluated on."""


def add(commands: Commands) -> None:
    """Add both commands."""
    _add_report(commands)
    _add_audit(commands)


def _add_report(commands: Commands) -> None:
    parser = add_command(
        commands,
        "report",
        report,
        usage="DIR [options]",
        summary="Write one HTML page with the tables and pictures of what was run",
        examples=REPORT_EXAMPLES,
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


def _add_audit(commands: Commands) -> None:
    parser = add_command(
        commands,
        "audit",
        audit,
        usage="RUN [options]",
        summary="Measure what the slices of a run's agents really hold",
        examples=AUDIT_EXAMPLES,
    )
    parser.add_argument(
        "directory",
        type=Path,
        metavar="RUN",
        help="folder of a finished run of parse or another method with slices; gets audit.json",
    )
    for setting in settings_of(AuditConfig).values():
        add_option(parser, setting)
    add_threads(parser)
    parser.epilog = f"{MEASURES}\n\n{parser.epilog}"


def report(args: argparse.Namespace) -> None:
    """Write the page and print where it lies."""
    from parse_dfl.runs.reporting import write_report

    levels = {"levels": args.reach} if args.reach else {}
    print(write_report(args.directory, **levels))


def audit(args: argparse.Namespace) -> None:
    """Measure, write the file and the report, and print the tables."""
    names = settings_of(AuditConfig)
    config = AuditConfig(**{name: value for name, value in vars(args).items() if name in names})
    from parse_dfl.records import AUDIT
    from parse_dfl.report.formatting import TerminalTable
    from parse_dfl.report.load import read_run
    from parse_dfl.report.tables.measurements import audit_tables
    from parse_dfl.runs.audit import audit_run
    from parse_dfl.runs.reporting import write_report

    audit_run(args.directory, config, note=lambda text: print(text, file=sys.stderr, flush=True))
    for table in audit_tables(read_run(args.directory)):
        console().print(TerminalTable(table))
    page = write_report(args.directory)
    print(f"audit: {args.directory / AUDIT}")
    print(f"report: {page}")
    print(f"picture: {args.directory / 'figures' / 'audit-bits.png'}")
