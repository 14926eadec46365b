"""From a folder to a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from parse_dfl.errors import RecordError
from parse_dfl.report.fields import Fields, parse_object, read_object, read_text
from parse_dfl.report.records import (
    COMPARISON,
    METRICS,
    SUMMARY,
    AgentResult,
    Collection,
    Comparison,
    Evaluation,
    GroupResult,
    MethodResult,
    Overlay,
    Record,
    Run,
    Summary,
)


def read_record(directory: Path) -> Record:
    """The run, comparison or folder of comparisons in ``directory``.

    Raises:
        RecordError: there is no such folder, it holds no record, or a file in it is corrupt.
    """
    if not directory.is_dir():
        raise RecordError(f"{directory} is no folder; give the --out folder of a run or compare")
    readers: dict[str, Callable[[Path], Record]] = {
        COMPARISON: read_comparison,
        SUMMARY: read_run,
        METRICS: read_run,
    }
    for file, reader in readers.items():
        if (directory / file).exists():
            return reader(directory)
    inside = sorted(path.parent for path in directory.glob(f"*/{COMPARISON}"))
    if inside:
        return Collection(directory=directory, comparisons=tuple(map(read_comparison, inside)))
    raise RecordError(
        f"{directory} holds no record: a run leaves {SUMMARY} and {METRICS}, a comparison "
        f"{COMPARISON}, a folder of comparisons sub-folders with {COMPARISON}"
    )


def read_run(directory: Path) -> Run:
    """A run, finished or not."""
    summary = directory / SUMMARY
    finished = summary.exists()
    return Run(
        directory=directory,
        summary=_summary(read_object(summary)) if finished else None,
        history=_history(directory / METRICS, finished=finished),
    )


def read_comparison(directory: Path) -> Comparison:
    """A comparison and those of its runs that left a record."""
    top = read_object(directory / COMPARISON)
    methods = {name: _method(fields) for name, fields in top.children("methods")}
    if not methods:
        raise RecordError(f"{directory / COMPARISON} compares no methods; run it again")
    return Comparison(
        directory=directory,
        data=top.text("data"),
        config=top.child("config").values,
        methods=methods,
        runs={name: runs for name in methods if (runs := _seeds(directory / name))},
    )


def _seeds(directory: Path) -> tuple[Run, ...]:
    folders = [
        path.parent
        for path in directory.glob("seed-*/*")
        if path.name in (SUMMARY, METRICS) and path.parent.name[5:].isdigit()
    ]
    return tuple(read_run(path) for path in sorted(set(folders), key=lambda p: int(p.name[5:])))


def _summary(top: Fields) -> Summary:
    return Summary(
        method=top.text("method"),
        data=top.text("data"),
        seed=top.integer("seed"),
        rounds=top.integer("rounds"),
        groups={name: _group(fields) for name, fields in top.children("groups")},
        mean_accuracy=top.number("mean_accuracy"),
        payload_bytes_per_link=top.mean("payload_bytes_per_link"),
        payload_bytes_per_round=top.number("payload_bytes_per_round"),
        wall_seconds=top.number("wall_seconds"),
        seconds_per_round={
            stage: top.child("seconds_per_round").number(stage)
            for stage in top.child("seconds_per_round").values
        },
        peak_memory_bytes=top.number("peak_memory_bytes"),
        config=top.child("config").values,
        overlays=tuple(map(_overlay, top.items("overlays"))),
        agents=tuple(map(_agent, top.items("agents"))),
    )


def _group(fields: Fields) -> GroupResult:
    return GroupResult(
        agents=fields.integer("agents"),
        parameters=fields.integer("parameters"),
        accuracy=fields.number("accuracy"),
        macro_f1=fields.number("macro_f1"),
        local_accuracy=fields.number("local_accuracy"),
    )


def _agent(fields: Fields) -> AgentResult:
    return AgentResult(
        name=fields.text("name"),
        group=fields.text("group"),
        samples=fields.integer("samples"),
        accuracy=fields.number("accuracy"),
        local_accuracy=fields.number("local_accuracy"),
        macro_f1=fields.number("macro_f1"),
    )


def _overlay(fields: Fields) -> Overlay:
    return Overlay(
        label=fields.text("label"),
        members=fields.texts("members"),
        edges=fields.pairs("edges"),
    )


def _method(fields: Fields) -> MethodResult:
    return MethodResult(
        groups={
            name: group.child("accuracy").numbers("values")
            for name, group in fields.children("groups")
        },
        mean_accuracy=fields.child("mean_accuracy").numbers("values"),
        payload_bytes_per_link=fields.mean("payload_bytes_per_link"),
        seconds=fields.mean("seconds"),
    )


def _history(path: Path, *, finished: bool) -> tuple[Evaluation, ...]:
    if not path.exists():
        return ()
    lines = read_text(path).splitlines()
    if lines and not finished and not lines[-1].endswith("}"):
        lines.pop()  # the run is writing it, or was killed while it did
    return tuple(
        _evaluation(parse_object(line, f"{path}, line {number}"))
        for number, line in enumerate(lines, start=1)
    )


def _evaluation(fields: Fields) -> Evaluation:
    return Evaluation(
        round=fields.integer("round"),
        group=fields.text("group"),
        seed=fields.integer("seed"),
        accuracy=fields.number("accuracy"),
    )
