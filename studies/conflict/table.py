"""Tables and figure of what was measured: ``results/README.md`` and ``docs/figures/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parse_dfl.records import ConflictLine
from parse_dfl.report.figures.measurements import draw_conflict
from parse_dfl.report.style import save_picture
from parse_dfl.report.tables.measurements import ALL_BRANCHES, EQUAL, SAMPLES, UNI_MULTI
from parse_dfl.runs.reporting import ROLES
from studies.conflict.recipe import METHODS, PARTITIONS, RESULTS, SETS, folder_of
from studies.provenance import read_result

COLUMNS = [(pairs, samples) for pairs in (UNI_MULTI, EQUAL) for samples in SAMPLES]
FIGURES = Path(__file__).parents[2] / "docs" / "figures"
MISSING = "–"
Result = Mapping[str, Any]


def read_results() -> dict[tuple[str, str], Result]:
    """Return (data set, partition) → what is there."""
    paths = {(n, p): RESULTS / f"{folder_of(n, p)}.json" for n in SETS for p in PARTITIONS}
    return {cell: read_result(path) for cell, path in paths.items() if path.exists()}


def write_tables() -> str:
    """Write a table per partition over its data sets, then one per cell."""
    found = read_results()
    parts = ["# Results", "", _legend(found)]
    for partition in PARTITIONS:
        own = [result for (_, dealt), result in found.items() if dealt == partition]
        if own:
            names = ", ".join(result["data"] for result in own)
            parts += ["", f"## {partition}: mean over {names}", "", conflict_table(own)]
    parts += ["", "## Cell by cell"]
    for name in SETS:
        for partition in PARTITIONS:
            result = found.get((name, partition))
            table = conflict_table([result]) if result else "missing"
            parts += ["", f"### {name}, {partition}", "", table]
    parts += ["", "## Branch by branch, uni-multi pairs on the same held-out samples"]
    for (name, partition), result in found.items():
        parts += ["", f"### {name}, {partition}", "", branch_table(result)]
    text = "\n".join(parts) + "\n"
    (RESULTS / "README.md").write_text(text, encoding="utf-8")
    return text


def _legend(found: Mapping[tuple[str, str], Result]) -> str:
    dates = sorted({result["date"] for result in found.values()})
    machine = next(iter(found.values()))["machine"]
    return (
        f"Measured {' and '.join(dates)} on {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"torch {machine['torch']}. Share of pairs whose cosine is below 0 · mean cosine, over all "
        "branches that a pair shares, means over the evaluated rounds and three seeds; accuracy in "
        "percent. A dash: no such pair shares anything."
    )


def conflict_table(results: Sequence[Result]) -> str:
    """Return a table, a row per method, means over the results."""
    lines = [
        "| method | accuracy | " + " | ".join(f"{p}, {s}" for p, s in COLUMNS) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for method in METHODS:
        own = [result["methods"][method] for result in results]
        accuracy = 100 * float(np.mean([entry["accuracy"] for entry in own]))
        cells = [_cell(own, f"{ALL_BRANCHES}|{samples}|{pairs}") for pairs, samples in COLUMNS]
        lines.append(f"| {method} | {accuracy:.1f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def branch_table(result: Result) -> str:
    """Return a table, a row per method and branch that uni- and multimodal agents share."""
    lines = ["| method | branch | conflict | equal pairs |", "|---|---|---|---|"]
    for method in METHODS:
        entry = result["methods"][method]
        for key in entry["conflict"]:
            branch, samples, pairs = key.split("|")
            if (samples, pairs) == (SAMPLES[1], UNI_MULTI) and branch != ALL_BRANCHES:
                cells = [_cell([entry], f"{branch}|{samples}|{p}") for p in (UNI_MULTI, EQUAL)]
                lines.append(f"| {method} | {branch} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(entries: Sequence[Result], key: str) -> str:
    found = [entry["conflict"][key] for entry in entries if key in entry["conflict"]]
    if not found:
        return MISSING
    share = 100 * float(np.mean([np.mean(one["negative_share"]) for one in found]))
    cosine = float(np.mean([np.mean(one["mean_cosine"]) for one in found]))
    return f"{share:.0f} % · {cosine:+.2f}".replace("-", "−")


def draw() -> list[Path]:
    """Draw the picture of each partition, means over its data sets."""
    FIGURES.mkdir(exist_ok=True)
    files = []
    for partition in PARTITIONS:
        own = [result for (_, dealt), result in read_results().items() if dealt == partition]
        picture = draw_conflict({m: list(_lines(own, m)) for m in METHODS}, ROLES)
        if picture:
            saved = save_picture(picture, FIGURES)
            saved.png.unlink()  # the page of documents needs one of the two
            name = f"gradient-conflict-{partition.replace(':', '-')}.svg"
            files.append(saved.png.with_suffix(".svg").replace(FIGURES / name))
    return files


def _lines(results: Sequence[Result], method: str) -> Iterator[ConflictLine]:
    for result in results:
        for key, found in result["methods"][method]["conflict"].items():
            branch, samples, pairs = key.split("|")
            for index, number in enumerate(found["rounds"]):
                yield ConflictLine(
                    round=number,
                    seed=0,
                    branch=branch,
                    samples=samples,
                    pairs=pairs,
                    count=found["pairs"],
                    negative_share=found["negative_share"][index],
                    mean_cosine=found["mean_cosine"][index],
                )
