"""From JSON files to typed records; every complaint names the file and the field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from parse_dfl.errors import RecordError
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
from parse_dfl.text import whole


class Fields:
    """A JSON object whose values are asked for by name and kind.

    Every reader raises :class:`~parse_dfl.errors.RecordError` if the field is missing or of
    another kind.
    """

    def __init__(self, values: dict[str, Any], source: str, prefix: str = "") -> None:
        self.values = values
        self._source = source
        self._prefix = prefix

    def text(self, name: str) -> str:
        """A string."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._refusal(name, "a text")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._get(name)
        if not _is_finite(value):
            raise self._refusal(name, "a finite number")
        return float(value)

    def maybe(self, name: str) -> float | None:
        """A finite number, or None where null stands in its place."""
        return None if self._get(name) is None else self.number(name)

    def shares(self, name: str) -> dict[str, float]:
        """An object of finite numbers."""
        inside = self.child(name)
        return {key: inside.number(key) for key in inside.values}

    def integer(self, name: str) -> int:
        """A whole number."""
        value = self.number(name)
        if not value.is_integer():
            raise self._refusal(name, "a whole number")
        return int(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of at least one finite number."""
        value = self._get(name)
        if not isinstance(value, list) or not value or not all(map(_is_finite, value)):
            raise self._refusal(name, "a list of finite numbers")
        return tuple(map(float, value))

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of at least one whole number."""
        values = self.numbers(name)
        if not all(value.is_integer() for value in values):
            raise self._refusal(name, "a list of whole numbers")
        return tuple(map(int, values))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._refusal(name, "a list of texts")
        return tuple(value)

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """A list of pairs of strings."""
        value = self._get(name)
        if not isinstance(value, list) or not all(map(_is_pair, value)):
            raise self._refusal(name, "a list of pairs of texts")
        return tuple((first, second) for first, second in value)

    def mean(self, name: str) -> float:
        """A number, or the ``mean`` of an object such as ``{"mean": 1, "max": 2}``."""
        is_object = isinstance(self.values.get(name), dict)
        return self.child(name).number("mean") if is_object else self.number(name)

    def child(self, name: str) -> Fields:
        """An object."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._refusal(name, "an object")
        return Fields(value, self._source, f"{self._prefix}{name}.")

    def optional_child(self, name: str) -> Fields | None:
        """An object, or None where null stands in its place."""
        return None if self._get(name) is None else self.child(name)

    def children(self, name: str) -> Iterator[tuple[str, Fields]]:
        """The named objects inside an object."""
        return self.child(name).entries()

    def entries(self) -> Iterator[tuple[str, Fields]]:
        """This object's own entries, each an object."""
        return ((key, self.child(key)) for key in self.values)

    def items(self, name: str) -> list[Fields]:
        """A list of objects; empty where the field is missing."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._refusal(name, "a list of objects")
        return [
            Fields(item, self._source, f"{self._prefix}{name}[{index}].")
            for index, item in enumerate(value)
        ]

    def _get(self, name: str) -> Any:
        if name not in self.values:
            raise RecordError(
                f"{self._source} lacks '{self._prefix}{name}'; "
                "it was cut short or written by another version: run it again"
            )
        return self.values[name]

    def _refusal(self, name: str, wanted: str) -> RecordError:
        return RecordError(
            f"{self._source}: '{self._prefix}{name}' is {self.values[name]!r:.60}, not {wanted}"
        )


def read_object(path: Path) -> Fields:
    """The JSON object in a file.

    Raises:
        RecordError: the file cannot be read, or is no JSON object.
    """
    return parse_object(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a file, or a :class:`~parse_dfl.errors.RecordError`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"cannot read {path}: {error}") from error


def parse_object(text: str, source: str) -> Fields:
    """The JSON object in ``text``; ``source`` names it in complaints."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecordError(f"{source} is no valid JSON ({error}); run it again") from error
    if not isinstance(value, dict):
        raise RecordError(f"{source} holds {type(value).__name__}, not a JSON object; run it again")
    return Fields(value, source)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(isinstance(end, str) for end in value)
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
