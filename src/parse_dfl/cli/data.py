"""Add ``parse-dfl data`` and ``parse-dfl pid``: show what a data set holds, before any training.

``data`` lists the sets and describes one of them; ``pid`` estimates what two modalities have in
common about the label.
"""

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
    from parse_dfl.report.formatting import TerminalTable

DATA_EXAMPLES = (
    "parse-dfl data",
    "parse-dfl data digits",
    "parse-dfl data recordings.npz --kind m=series --subject-key actor --test subject:3,7",
)
PID_EXAMPLES = (
    "parse-dfl pid synthetic --modalities a,b",
    "parse-dfl pid recordings.npz --modalities audio,video --subject-key actor --out pid.json",
)
BUILT_IN = "built in"
DATA_OPTIONS = ("data.test", "data.data_dir", "data.kind", "data.subject_key")
PID_OPTIONS = ("data.data_dir", "data.kind", "data.subject_key", "seed")


def add(commands: Commands) -> None:
    """Add both commands."""
    _add_data(commands)
    _add_pid(commands)


def _add_data(commands: Commands) -> None:
    parser = add_command(
        commands,
        "data",
        show_data,
        usage="[NAME|FILE] [options]",
        summary="List the data sets, or show the modalities, sizes, classes and parts of one",
        examples=DATA_EXAMPLES,
    )
    parser.add_argument(
        "data.data",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="NAME|FILE",
        help="a name of the list, or the path of a .npz",
    )
    add_options(parser, DATA_OPTIONS)


def _add_pid(commands: Commands) -> None:
    parser = add_command(
        commands,
        "pid",
        estimate_pid,
        usage="NAME|FILE --modalities A,B [options]",
        summary="Estimate what two modalities tell about the label: redundant, unique, synergistic",
        examples=PID_EXAMPLES,
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
    add_options(parser, PID_OPTIONS)
    methods = "\n".join(f"  {name:6} {text}" for name, text in METHODS.items())
    parser.epilog = f"estimators:\n{methods}\n\n{parser.epilog}"


def show_data(args: argparse.Namespace) -> None:
    """Print the list, or the description of one set."""
    config = configuration(args).data
    folder = Path(config.data_dir) if config.data_dir else None
    if not hasattr(args, "data.data"):
        from parse_dfl.data.catalog import available

        entries = available(folder)
        rows = [(entry.name, entry.description) for entry in entries]
        console().print(_table("data sets", ("name", "what"), rows))
        if all(entry.where == BUILT_IN for entry in entries):
            print("more by name: put .npz sets in a folder, give it by --data-dir")
        return
    from parse_dfl.data.catalog import load
    from parse_dfl.data.dataset import describe
    from parse_dfl.data.splits import split

    data = load(config.data, data_dir=folder, kinds=config.kind, subject_key=config.subject_key)
    facts = describe(data, split(data, config.test))
    for table in _description(facts):
        console().print(table)
    for note in facts.get("notes", ()):
        print(f"note: {as_given(note)}")


def _description(facts: Mapping[str, Any]) -> Iterable[TerminalTable]:
    modalities = [
        (name, about["kind"], " × ".join(map(str, about["shape"])))
        for name, about in facts["modalities"].items()
    ]
    yield _table(f"{facts['name']}: modalities", ("name", "kind", "shape"), modalities)
    sizes = [
        ("samples", facts["samples"]),
        *facts["split"].items(),
        ("classes", facts["classes"]),
        ("subjects", "–" if facts["subjects"] is None else facts["subjects"]),
        ("further columns", ", ".join(facts["keys"]) or "–"),
        ("true factors", ", ".join(facts["factors"]) or "–"),
    ]
    yield _table("sizes", ("what", "value"), sizes)
    yield _table("classes", ("label", "samples"), facts["label_counts"].items())


def _table(title: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> TerminalTable:
    from parse_dfl.report.formatting import Table, TerminalTable, entries

    cells = tuple(entries(as_given(str(cell)) for cell in row) for row in rows)
    return TerminalTable(Table(title=title, header=tuple(header), rows=cells), texts=True)


def estimate_pid(args: argparse.Namespace) -> None:
    """Print an estimate as a table, a sentence and warnings, and write it to a file if asked."""
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
    decomposition = estimate(
        first,
        second,
        data.label,
        method=args.estimator,
        names=names,
        groups=data.subject,
        seed=config.seed,
        note=lambda text: print(text, file=sys.stderr, flush=True),
    )
    console().print(_pid_table(data.name, decomposition))
    print(as_given(sentence(decomposition)))
    for warning in decomposition.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.out is not None:
        write_atomically(args.out, f"{json_text(decomposition.to_dict(), indent=2)}\n".encode())
        print(args.out)


def sentence(decomposition: Decomposition) -> str:
    """Say in words what the two modalities have in common."""
    bits = decomposition.bits
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


def _pid_table(name: str, decomposition: Decomposition) -> TerminalTable:
    from parse_dfl.report.formatting import Table, TerminalTable, entries

    shown = decomposition.to_dict()
    rows = [
        entries((as_given(label), f"{bits:.3f}", f"{low:.3f} to {high:.3f}"))
        for label, bits, (low, high) in _pid_rows(shown["bits"], shown["ci95"])
    ]
    return TerminalTable(
        Table(
            title=f"{name}: {decomposition.samples} samples, {decomposition.classes} classes, "
            f"method {decomposition.method}",
            header=("information about the label", "bits", "95 % interval"),
            rows=tuple(rows),
        )
    )


def _pid_rows(bits: Mapping[str, Any], ci95: Mapping[str, Any]) -> Iterable[tuple[str, float, Any]]:
    first, second = bits["unique"]
    yield f"redundant: {first} and {second} both tell", bits["redundant"], ci95["redundant"]
    for name in (first, second):
        yield f"unique: only {name} tells", bits["unique"][name], ci95["unique"][name]
    yield "synergistic: only both together tell", bits["synergistic"], ci95["synergistic"]
    yield "total", bits["total"], ci95["total"]
