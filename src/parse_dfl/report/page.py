"""The report: one HTML page that needs neither network nor script."""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from parse_dfl.io import write_atomically
from parse_dfl.report.cost_to_accuracy import LEVELS
from parse_dfl.report.diverged import diverged_sentences
from parse_dfl.report.formatting import counted
from parse_dfl.report.headline import lead_of
from parse_dfl.report.load import labels_of, read_record
from parse_dfl.report.pictures import SavedPicture, save_pictures
from parse_dfl.report.records import Collection, Comparison, Record, Run, problems_of
from parse_dfl.report.sections import tables_of
from parse_dfl.report.statistics_file import write_statistics
from parse_dfl.report.svg import dark_rules, inline_svg
from parse_dfl.report.table import Grid
from parse_dfl.text import as_given

PAGE = "report.html"


def write_report(directory: str | Path, *, levels: Sequence[float] = LEVELS) -> Path:
    """Write ``directory/report.html``, and its figures into ``directory/figures``.

    ``directory`` is a run, finished or not, a comparison, or a folder of comparisons; for the
    latter two ``statistics.json`` says the same in numbers.  ``levels`` are the accuracies, 0 to
    1, for which the rounds and bytes are given that a method needs to reach them.

    Warns of what could not be read and is left out.

    Raises:
        RecordError: the folder holds no record, or a corrupt one.
        OutputError: the folder cannot be written to.
    """
    directory = Path(directory)
    record = read_record(directory)
    if not isinstance(record, Run):
        write_statistics(record, levels)
    tables, unmade = tables_of(record, levels)
    saved, undrawn = save_pictures(record)
    problems = list(dict.fromkeys([*problems_of(record), *unmade, *undrawn]))
    for problem in problems:
        warnings.warn(f"left out of the report: {problem}", stacklevel=2)
    html = _page(record, tables, saved, problems)
    write_atomically(directory / PAGE, html.encode("utf-8", "backslashreplace"))
    return directory / PAGE


def _page(
    record: Record,
    tables: Sequence[Grid],
    saved: Sequence[SavedPicture],
    problems: Sequence[str],
) -> str:
    templates = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=templates,
        autoescape=True,  # names and labels are whatever a user wrote
        finalize=_as_given,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        title=_title(record),
        lead=lead_of(record),
        problems=problems,
        diverged=diverged_sentences(record),
        tables=tables,
        figures=[
            {
                "title": one.picture.title,
                "caption": one.picture.caption,
                "drawing": inline_svg(
                    one.svg,
                    prefix=one.picture.name,
                    label=f"{one.picture.title}. {one.picture.caption}",
                ),
            }
            for one in saved
        ],
        dark_rules=dark_rules(),
        configurations={
            name: json.dumps(config, indent=2, ensure_ascii=False, default=str)
            for name, config in _configurations(record).items()
        },
        command=shlex.join(["parse-dfl", "report", str(record.directory)]),
    )


def _as_given(value: Any) -> Any:
    """Texts show modalities by their given names; markup is not touched."""
    return as_given(value) if type(value) is str else value


def _title(record: Record) -> str:
    match record:
        case Run(summary=None):
            return f"{record.name}, unfinished"
        case Run(summary=summary):
            return f"{record.name} on {summary.data}" if summary else record.name
        case Comparison():
            return f"{len(record.methods)} methods on {record.data}"
        case Collection():
            single = sum(one.is_gathered for one in record.comparisons)
            compared = counted(len(record.comparisons) - single, "comparison")
            cells = f"{counted(single, 'cell')} of single runs"
            if not single:
                return compared
            return cells if single == len(record.comparisons) else f"{compared} and {cells}"


def _configurations(record: Record) -> Mapping[str, Mapping[str, Any]]:
    match record:
        case Run(summary=summary):
            return {"Configuration": summary.config} if summary else {}
        case Comparison():
            return {"Configuration": record.config}
        case Collection():
            labelled = zip(labels_of(record), record.comparisons, strict=True)
            return {f"Configuration of {label}": one.config for label, one in labelled}
