"""``parse-dfl audit``: what the slices of trained agents really hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from parse_dfl.analysis.probing.config import AuditConfig
from parse_dfl.cli.options import count_or_all, positive, seed
from parse_dfl.cli.output import console
from parse_dfl.cli.parser import Commands, add_command
from parse_dfl.cli.threads import add_threads

EXAMPLES = (
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
    """Add the command."""
    defaults = AuditConfig()
    parser = add_command(
        commands,
        "audit",
        execute,
        usage="RUN [options]",
        summary="Measure what the slices of a run's agents really hold",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "directory",
        type=Path,
        metavar="RUN",
        help="folder of a finished run of parse or another method with slices; gets audit.json",
    )
    parser.add_argument(
        "--agents-per-group",
        type=count_or_all,
        default=defaults.agents_per_group,
        metavar="COUNT|all",
        help=f"agents of each modality set, drawn (default: {defaults.agents_per_group})",
    )
    parser.add_argument(
        "--probe-steps",
        type=positive,
        default=defaults.probe_steps,
        metavar="COUNT",
        help=f"training steps of each probe (default: {defaults.probe_steps})",
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=defaults.seed,
        metavar="N",
        help=f"of probes and draws (default: {defaults.seed})",
    )
    add_threads(parser)
    parser.epilog = f"{MEASURES}\n\n{parser.epilog}"


def execute(args: argparse.Namespace) -> None:
    """Measure, write the file and the report, and print the tables."""
    config = AuditConfig(
        agents_per_group=args.agents_per_group, probe_steps=args.probe_steps, seed=args.seed
    )
    from parse_dfl.records import AUDIT
    from parse_dfl.report.load import read_run
    from parse_dfl.report.tables.measurements import audit_tables
    from parse_dfl.report.terminal import TerminalTable
    from parse_dfl.runs.audit import audit_run
    from parse_dfl.runs.reporting import write_report

    audit_run(args.directory, config, note=lambda text: print(text, file=sys.stderr, flush=True))
    for table in audit_tables(read_run(args.directory)):
        console().print(TerminalTable(table))
    page = write_report(args.directory)
    print(f"audit: {args.directory / AUDIT}")
    print(f"report: {page}")
    print(f"picture: {args.directory / 'figures' / 'audit-bits.png'}")
