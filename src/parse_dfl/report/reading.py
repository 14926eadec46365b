"""From the files of a run or a comparison to typed values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from parse_dfl.errors import RecordError
from parse_dfl.numerals import whole
from parse_dfl.report.fields import Fields, parse_object, read_object, read_text
from parse_dfl.report.records import (
    COMPARISON,
    METRICS,
    SUMMARY,
    AgentResult,
    Comparison,
    Divergence,
    Evaluation,
    GroupResult,
    MethodResult,
    Overlay,
    Run,
    Summary,
    ordered_groups,
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
    """A comparison and those of its runs that left a record that can be read."""
    return read_comparison_file(directory / COMPARISON)


def read_comparison_file(path: Path) -> Comparison:
    """The comparison in a file, whatever the file is called."""
    top = read_object(path)
    seeds = top.integers("seeds") if "seeds" in top.values else None
    methods = {name: _method(fields, seeds) for name, fields in top.children("methods")}
    if not methods:
        raise RecordError(f"{path} compares no methods; run it again")
    in_folder = path.name == COMPARISON
    read = {name: _seeds(path.parent / name) if in_folder else ((), ()) for name in methods}
    return Comparison(
        directory=path.parent,
        name=path.resolve().parent.name if in_folder else path.stem,
        data=top.text("data"),
        config=top.child("config").values,
        methods=methods,
        runs={name: runs for name, (runs, _) in read.items() if runs},
        version=top.text("version") if "version" in top.values else None,
        problems=(
            *(problem for _, problems in read.values() for problem in problems),
            *(_beside(path.parent, methods) if in_folder else ()),
            *_uneven(path, methods),
        ),
    )


def _beside(directory: Path, methods: Mapping[str, MethodResult]) -> Iterator[str]:
    """What lies in a comparison's folder without being part of it."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        if folder.name in methods:
            continue
        if any(folder.glob(f"seed-*/{METRICS}")) or any(folder.glob(f"seed-*/{SUMMARY}")):
            yield (
                f"{folder} holds runs of a method that {COMPARISON} lacks, which take no part: the "
                "comparison is unfinished, carry on with --resume"
            )
        elif any((folder / name).exists() for name in (COMPARISON, SUMMARY, METRICS)):
            yield (
                f"{folder} lies in a comparison's folder without being part of it; give it to a "
                "report of its own"
            )


def _uneven(path: Path, methods: Mapping[str, MethodResult]) -> Iterator[str]:
    """Methods that lack seeds or groups which others have."""
    seeds = sorted({seed for result in methods.values() for seed in result.seeds})
    groups = ordered_groups(group for result in methods.values() for group in result.groups)
    for name, result in methods.items():
        missing = [str(seed) for seed in seeds if seed not in result.seeds]
        if missing:
            yield (
                f"{path}: {name} lacks seed {', '.join(missing)}; differences are over the seeds "
                "that both methods have"
            )
        lacking = [group for group in groups if group not in result.groups]
        if lacking:
            yield f"{path}: {name} has no accuracy of {', '.join(lacking)}"
        lengths = {len(values) for values in result.groups.values()} | {len(result.seeds)}
        if len(lengths) > 1:
            yield f"{path}: {name} has not every seed for every group"


def _seeds(directory: Path) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """The runs of one method, and why some of them cannot be read."""
    folders = {
        path.parent
        for path in directory.glob("seed-*/*")
        if path.name in (SUMMARY, METRICS) and whole(path.parent.name[5:]) is not None
    }
    runs, problems = [], []
    for folder in sorted(folders, key=lambda folder: int(folder.name[5:])):
        try:
            runs.append(read_run(folder))
        except RecordError as error:
            problems.append(str(error))
    return tuple(runs), tuple(problems)


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
        diverged=_divergence(top.child("diverged")) if top.values.get("diverged") else None,
        lr=top.number("lr") if "lr" in top.values else math.nan,
    )


def _divergence(fields: Fields) -> Divergence:
    return Divergence(round=fields.integer("round"), agents=fields.texts("agents"))


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


def _method(fields: Fields, seeds: tuple[int, ...] | None) -> MethodResult:
    """``seeds`` are those of the comparison; a method that has fewer so far names its own."""
    mean_accuracy = fields.child("mean_accuracy").numbers("values")
    if "seeds" in fields.values:
        seeds = fields.integers("seeds")
    if seeds is None or len(seeds) != len(mean_accuracy):
        seeds = tuple(range(len(mean_accuracy)))
    return MethodResult(
        seeds=seeds,
        groups={
            name: group.child("accuracy").numbers("values")
            for name, group in fields.children("groups")
        },
        mean_accuracy=mean_accuracy,
        payload_bytes_per_link=fields.mean("payload_bytes_per_link"),
        seconds=fields.mean("seconds"),
        diverged={
            int(seed): _divergence(own)
            for seed, own in (fields.children("diverged") if fields.values.get("diverged") else ())
        },
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
