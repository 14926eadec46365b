"""``parse-dfl data``: which sets there are, and what one of them holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.cli.output import console
from parse_dfl.cli.parser import Commands, add_command, add_options, configuration
from parse_dfl.text import as_given

if TYPE_CHECKING:
    from parse_dfl.report.terminal import TerminalTable

EXAMPLES = (
    "parse-dfl data",
    "parse-dfl data digits",
    "parse-dfl data recordings.npz --kind m=series --subject-key actor --test subject:3,7",
)
BUILT_IN = "built in"
READING = ("data.test", "data.data_dir", "data.kind", "data.subject_key")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "data",
        execute,
        usage="[NAME|FILE] [options]",
        summary="List the data sets, or show the modalities, sizes, classes and parts of one",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "data.data",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="NAME|FILE",
        help="a name of the list, or the path of a .npz",
    )
    add_options(parser, READING)


def execute(args: argparse.Namespace) -> None:
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
    from parse_dfl.report.formatting import Table, entries
    from parse_dfl.report.terminal import TerminalTable

    cells = tuple(entries(as_given(str(cell)) for cell in row) for row in rows)
    return TerminalTable(Table(title=title, header=tuple(header), rows=cells), texts=True)
