"""Write the report: one HTML page that needs neither network nor script."""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from parse_dfl.errors import RecordError
from parse_dfl.io import write_atomically
from parse_dfl.records import NO_ROLES, Roles
from parse_dfl.report.cells import converged_record, diverged_sentences
from parse_dfl.report.collection import Collection, Record, read_folder
from parse_dfl.report.figures.ablations import ablations, split_map
from parse_dfl.report.figures.collection import collection_curves, differences, heat_map
from parse_dfl.report.figures.comparison import final_accuracy, learning_curves, payload
from parse_dfl.report.figures.measurements import audit_bits, conflict
from parse_dfl.report.figures.run import overlays, slice_maps
from parse_dfl.report.formatting import Table, counted
from parse_dfl.report.load import Comparison, Run
from parse_dfl.report.pairwise import headline
from parse_dfl.report.statistics_file import LEVELS, write_statistics
from parse_dfl.report.style import Picture, SavedPicture, dark_rules, inline_svg, save_picture
from parse_dfl.report.tables.measurements import (
    audit_tables,
    branch_conflict_table,
    conflict_table,
)
from parse_dfl.report.tables.results import (
    agents_table,
    collection_table,
    comparison_table,
    status_table,
    unfinished_table,
)
from parse_dfl.report.tables.statistics import (
    cost_table,
    gaps_table,
    group_pairwise_table,
    pairwise_table,
    summary_table,
)
from parse_dfl.text import as_given

PAGE = "report.html"
FIGURES = "figures"

PICTURES: dict[type[Record], tuple[Callable[[Any], Picture | None], ...]] = {
    Run: (learning_curves, overlays, slice_maps, conflict, audit_bits),
    Comparison: (final_accuracy, learning_curves, payload, overlays, slice_maps, conflict),
    Collection: (heat_map, differences, collection_curves, ablations, split_map, conflict),
}

T = TypeVar("T")


def write_report(
    directory: str | Path,
    roles: Roles = NO_ROLES,
    *,
    levels: Sequence[float] = LEVELS,
) -> Path:
    """Write ``directory/report.html``, and its figures into ``directory/figures``.

    Warns of what could not be read and is left out.

    Args:
        directory: a run, finished or not, a comparison, or a folder of comparisons; for the latter
            two ``statistics.json`` says the same in numbers.
        roles: what is compared with what.
        levels: the accuracies, 0 to 1, for which the rounds and bytes are given that a method
            needs to reach them.

    Raises:
        RecordError: the folder holds no record, or a damaged one.
        OutputError: the folder cannot be written to.
    """
    directory = Path(directory)
    record = read_folder(directory, roles)
    if not isinstance(record, Run):
        write_statistics(record, levels)
    tables, unmade = tables_of(record, levels)
    saved, undrawn = save_pictures(record)
    problems = [] if isinstance(record, Run) else list(record.problems)
    problems = list(dict.fromkeys([*problems, *unmade, *undrawn]))
    for problem in problems:
        warnings.warn(f"left out of the report: {problem}", stacklevel=2)
    html = _page(record, tables, saved, problems)
    write_atomically(directory / PAGE, html.encode("utf-8", "backslashreplace"))
    return directory / PAGE


def tables_of(record: Record, levels: Sequence[float] = LEVELS) -> tuple[list[Table], list[str]]:
    """Return the tables of a record, and why some of them cannot be made.

    Tables are left out for which it holds nothing.  ``levels`` are the accuracies whose cost is
    given.
    """
    tables: dict[type[Record], tuple[Callable[[Any], Table | None], ...]] = {
        Run: (status_table, conflict_table, branch_conflict_table, agents_table),
        Comparison: (
            comparison_table,
            group_pairwise_table,
            conflict_table,
            branch_conflict_table,
            lambda comparison: cost_table(comparison.converged, levels),
        ),
        Collection: (
            collection_table,
            unfinished_table,
            summary_table,
            gaps_table,
            pairwise_table,
            group_pairwise_table,
            conflict_table,
        ),
    }
    made, problems = _build(tables[type(record)], record)
    if isinstance(record, Run):
        audits, unread = _build((audit_tables,), record)
        made += [table for tables_of_audit in audits for table in tables_of_audit]
        problems += unread
    return made, problems


def save_pictures(record: Record) -> tuple[list[SavedPicture], list[str]]:
    """Draw and write every figure of ``record``, and say why some could not be drawn.

    Figures are left out for which it holds nothing.
    """
    drawn = converged_record(record)
    pictures, problems = _build(PICTURES[type(record)], drawn) if drawn else ([], [])
    return [save_picture(picture, record.directory / FIGURES) for picture in pictures], problems


def _build(
    builders: Sequence[Callable[[Any], T | None]], record: Record
) -> tuple[list[T], list[str]]:
    """Return what the builders make; a damaged file costs no more than what is in it."""
    made, problems = [], []
    for build in builders:
        try:
            made.append(build(record))
        except RecordError as error:
            problems.append(str(error))
    return [one for one in made if one], problems


def _page(
    record: Record,
    tables: Sequence[Table],
    saved: Sequence[SavedPicture],
    problems: Sequence[str],
) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # names and labels are whatever a user wrote
        finalize=_as_given,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        title=_title(record),
        lead=headline(record),
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
    """Show modalities by their given names in texts; markup is not touched."""
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
            labelled = zip(record.labels, record.comparisons, strict=True)
            return {f"Configuration of {label}": one.config for label, one in labelled}
