"""``parse-dfl pid``: what two modalities have in common about the label, before any training."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.agents import modality_key
from parse_dfl.analysis.pid import AUTO, METHODS
from parse_dfl.cli.output import console
from parse_dfl.cli.parser import Commands, add_command, add_options, configuration
from parse_dfl.cli.processes import add_threads
from parse_dfl.errors import ConfigError, OutputError, unknown
from parse_dfl.io import json_text, write_atomically
from parse_dfl.text import as_given

if TYPE_CHECKING:
    from parse_dfl.analysis.pid.decomposition import Decomposition
    from parse_dfl.report.terminal import TerminalTable

EXAMPLES = (
    "parse-dfl pid synthetic --modalities a,b",
    "parse-dfl pid recordings.npz --modalities audio,video --subject-key actor --out pid.json",
)
READING = ("data.data_dir", "data.kind", "data.subject_key", "seed")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "pid",
        execute,
        usage="NAME|FILE --modalities A,B [options]",
        summary="Estimate what two modalities tell about the label: redundant, unique, synergistic",
        examples=EXAMPLES,
    )
    parser.add_argument("data.data", metavar="NAME|FILE", help="as in 'data'")
    parser.add_argument("--modalities", required=True, metavar="A,B", help="the two to compare")
    parser.add_argument(
        "--method",
        dest="estimator",  # "method" is what trains agents
        default=AUTO,
        metavar="NAME",
        help="one of the estimators below (default: exact where it can be, else batch)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the estimate there")
    parser.add_argument("--overwrite", action="store_true", help="replace --out where it exists")
    add_threads(parser)
    add_options(parser, READING)
    methods = "\n".join(f"  {name:6} {text}" for name, text in METHODS.items())
    parser.epilog = f"estimators:\n{methods}\n\n{parser.epilog}"


def execute(args: argparse.Namespace) -> None:
    """Estimate, then print the table, a sentence and the doubts, and write the file."""
    names = _two(args.modalities)
    if args.estimator not in (AUTO, *METHODS):
        raise unknown("method", args.estimator, [AUTO, *METHODS])
    if args.out is not None:
        _check_out(args.out, overwrite=args.overwrite)
    config = configuration(args)
    from parse_dfl.analysis.pid import estimate
    from parse_dfl.data.catalog import load

    data = load(
        config.data.data,
        data_dir=config.data.data_dir,
        kinds=config.data.kind,
        subject_key=config.data.subject_key,
        modalities=names,
    )
    for text in data.notes(()):
        print(f"note: {as_given(text)}", file=sys.stderr)
    first, second = (data.modalities[modality_key(name)] for name in names)
    found = estimate(
        first,
        second,
        data.label,
        method=args.estimator,
        names=names,
        groups=data.subject,
        seed=config.seed,
        note=lambda text: print(text, file=sys.stderr, flush=True),
    )
    console().print(_table(data.name, found))
    print(as_given(sentence(found)))
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.out is not None:
        write_atomically(args.out, f"{json_text(found.to_dict(), indent=2)}\n".encode())
        print(args.out)


def sentence(found: Decomposition) -> str:
    """What the two have in common, in words."""
    bits = found.bits
    first, second = bits.unique
    tells = (
        f"{first} tells {bits.of(first):.2f} bits about the label, {second} {bits.of(second):.2f}"
    )
    together = f"together they tell {bits.total:.2f}, {bits.synergistic:.2f} of them only together"
    least = min(bits.of(first), bits.of(second))
    if least < 0.01:
        return f"{tells}: nothing in common; {together}."
    shares = ", ".join(
        f"{100 * bits.redundant / bits.of(name):.0f} % of what {name} tells" for name in bits.unique
    )
    return f"{tells}; {bits.redundant:.2f} bits are in common ({shares}); {together}."


def _two(text: str) -> tuple[str, str]:
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise ConfigError(f"--modalities {text} must name two different modalities, as in a,b")
    return names[0], names[1]


def _check_out(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file for --out")
    if not path.parent.is_dir():
        raise OutputError(f"the folder of {path} does not exist")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; add --overwrite to replace it, or name another --out")


def _table(name: str, found: Decomposition) -> TerminalTable:
    from parse_dfl.report.formatting import Table, entries
    from parse_dfl.report.terminal import TerminalTable

    shown = found.to_dict()
    rows = [
        entries((as_given(label), f"{bits:.3f}", f"{low:.3f} to {high:.3f}"))
        for label, bits, (low, high) in _rows(shown["bits"], shown["ci95"])
    ]
    return TerminalTable(
        Table(
            title=f"{name}: {found.samples} samples, {found.classes} classes, "
            f"method {found.method}",
            header=("information about the label", "bits", "95 % interval"),
            rows=tuple(rows),
        )
    )


def _rows(bits: Mapping[str, Any], ci95: Mapping[str, Any]) -> Iterable[tuple[str, float, Any]]:
    first, second = bits["unique"]
    yield f"redundant: {first} and {second} both tell", bits["redundant"], ci95["redundant"]
    for name in (first, second):
        yield f"unique: only {name} tells", bits["unique"][name], ci95["unique"][name]
    yield "synergistic: only both together tell", bits["synergistic"], ci95["synergistic"]
    yield "total", bits["total"], ci95["total"]
