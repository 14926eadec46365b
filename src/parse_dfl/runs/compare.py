"""Compare several methods on the same data, agents and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parse_dfl.config import RunConfig, to_dict
from parse_dfl.engine.checkpoint import read_tensors
from parse_dfl.errors import ConfigError
from parse_dfl.io import decode, to_plain
from parse_dfl.methods.base import Method
from parse_dfl.ranks.group import launched_ranks
from parse_dfl.records import (
    COMPARISON,
    SUMMARY,
    ComparisonRecord,
    GroupStatistics,
    LinkBytes,
    MethodRecord,
    Summary,
)
from parse_dfl.report.statistics import seed_values
from parse_dfl.runs.callbacks import LOGGING, Listener
from parse_dfl.runs.folder import is_ours, output_folder, read_json, write_json
from parse_dfl.runs.recorder import PlainSummary
from parse_dfl.runs.resuming import CONFIG, claim
from parse_dfl.runs.session import CHECKPOINT, Session
from parse_dfl.runs.setup import Trial, build_trial, check_ranks, method_of
from parse_dfl.runs.shared_setup import NO_OVERRIDES, Overrides, SharedSetup
from parse_dfl.text import LARGEST


def compare(
    config: RunConfig,
    methods: Sequence[str | Method],
    seeds: Sequence[int],
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener = LOGGING,
    overrides: Overrides = NO_OVERRIDES,
) -> dict[str, Any]:
    """Run every method with all seeds side by side; each method is written when it is done.

    ``methods`` are names, or methods of your own.

    Returns:
        The comparison, as in ``comparison.json``.

    Raises:
        ParseDflError: bad settings, data or folder; what is finished stays.
    """
    entries = _entries(config, methods, seeds, overrides)
    base = None if out is None else Path(out)
    ranks = launched_ranks()
    with ExitStack() as held:
        with ranks.raise_together():
            shared = SharedSetup(config, overrides)
            if base is not None and ranks.is_main:
                held.enter_context(output_folder(base, overwrite=overwrite, resume=resume))
                claim(base, config, {"methods": list(entries), "seeds": list(seeds)})
        if ranks.is_main:
            shared.tell_notes(listener)
        groups = shared.groups_of_equal_work(seeds)
        summaries: dict[str, list[PlainSummary]] = {}
        for name, (single, ingredients) in entries.items():
            entry = _Entry(single, ingredients, base / name if base else None, shared, listener)
            by_seed = {seed: kept for group in groups for seed, kept in entry.run(group).items()}
            summaries[name] = [by_seed[seed] for seed in seeds]
            if base is not None and ranks.is_main:
                write_json(base / COMPARISON, comparison(config, summaries))
    return comparison(config, summaries)


def _entries(
    config: RunConfig, methods: Sequence[str | Method], seeds: Sequence[int], overrides: Overrides
) -> dict[str, tuple[RunConfig, Overrides]]:
    """Return each method's configuration and ingredients, by name, once all can be used."""
    if overrides.method is not None:
        raise ConfigError(
            f"overrides.method {overrides.method.name!r} would take the place of every method; "
            "give it among the methods to compare"
        )
    if bad := [seed for seed in seeds if not 0 <= seed <= LARGEST]:
        raise ConfigError(f"seed {bad[0]} must be at least 0 and at most {LARGEST}")
    listed = [_entry(config, method, overrides) for method in methods]
    entries = dict(listed)
    if len(entries) < len(listed):
        names = ", ".join(name for name, _ in listed)
        raise ConfigError(f"a method stands twice in {names}; name each once")
    for single, ingredients in entries.values():
        check_ranks(single, method_of(single, ingredients), launched_ranks())
    if config.engine != "simulate":
        raise ConfigError(
            f"a comparison trains several seeds side by side, which engine {config.engine!r} "
            "cannot; use engine 'simulate', or run each method and seed on its own"
        )
    return entries


def _entry(
    config: RunConfig, method: str | Method, overrides: Overrides
) -> tuple[str, tuple[RunConfig, Overrides]]:
    """Return a method's name, configuration, and the user's objects that it is trained with."""
    if isinstance(method, str):
        return method, (config.for_method(method), overrides)
    return method.name, (config.for_method(f"own:{method.name}"), replace(overrides, method=method))


@dataclass(frozen=True)
class _Entry:
    """One method of a comparison, which writes below ``folder``, a folder per seed."""

    config: RunConfig
    overrides: Overrides
    folder: Path | None
    shared: SharedSetup
    listener: Listener

    def run(self, seeds: Sequence[int]) -> dict[int, PlainSummary]:
        """Train seeds side by side; return the summaries, read where they are on disk already."""
        ranks = launched_ranks()
        if self.folder is None:
            return Session(self._trial(seeds), {}, None, self.listener).run()
        while left := ranks.broadcast(_left(seeds, self.folder)):
            self._run_together(left, self.folder)
        paths = [self.folder / f"seed-{seed}" / SUMMARY for seed in seeds]
        kept = [read_json(path) for path in paths] if ranks.is_main else None
        return dict(zip(seeds, ranks.broadcast(kept), strict=True))

    def _trial(self, seeds: Sequence[int]) -> Trial:
        return build_trial(self.config, seeds, self.overrides, launched_ranks(), self.shared)

    def _run_together(self, seeds: Sequence[int], folder: Path) -> None:
        """Go on from the checkpoint, if there is one, and write the records of all ``seeds``."""
        ranks = launched_ranks()
        folders = {seed: folder / f"seed-{seed}" for seed in seeds}
        with ExitStack() as held:
            with ranks.raise_together():
                trial = self._trial(seeds)
                for seed, path in folders.items() if ranks.is_main else ():
                    held.enter_context(output_folder(path, overwrite=False, resume=is_ours(path)))
                    write_json(path / CONFIG, to_dict(replace(self.config, seed=seed)))
            session = Session(trial, folders, folder / CHECKPOINT, self.listener)
            session.resume()
            session.run()


def _left(seeds: Sequence[int], folder: Path) -> list[int]:
    """Return the seeds to run next: those of a stopped session, or all that have no summary."""
    left = [seed for seed in seeds if not (folder / f"seed-{seed}" / SUMMARY).exists()]
    return left and (_stopped_at(folder / CHECKPOINT) or left)


def _stopped_at(checkpoint: Path) -> list[int]:
    """Return the seeds of a stopped session, some of which it may have written already."""
    if not checkpoint.exists():
        return []
    seeds: list[int] = read_tensors(checkpoint)[1].get("seeds", [])
    return seeds


def comparison(
    config: RunConfig, summaries: Mapping[str, Sequence[PlainSummary]]
) -> dict[str, Any]:
    """Return ``comparison.json``; values are in the order of the seeds."""
    methods = {
        name: [decode(row, Summary, f"{SUMMARY} of {name}") for row in rows]
        for name, rows in summaries.items()
    }
    first = next(iter(methods.values()))
    record = ComparisonRecord(
        data=first[0].data,
        config=to_dict(config),
        seeds=tuple(summary.seed for summary in first),
        methods={name: method_record(seeds) for name, seeds in methods.items()},
    )
    return dict(to_plain(record))


def method_record(summaries: Sequence[Summary]) -> MethodRecord:
    """Return a method's entry of a comparison, from the summaries of its seeds in their order."""
    payloads = [summary.payload_bytes_per_link for summary in summaries]
    diverged = {str(one.seed): one.diverged for one in summaries if one.diverged}
    return MethodRecord(
        groups={
            group: GroupStatistics(
                **{
                    score: seed_values([getattr(one.groups[group], score) for one in summaries])
                    for score in ("accuracy", "macro_f1", "local_accuracy")
                }
            )
            for group in summaries[0].groups
        },
        mean_accuracy=seed_values([summary.mean_accuracy for summary in summaries]),
        payload_bytes_per_link=LinkBytes(
            mean=sum(payload.mean for payload in payloads) / len(payloads),
            max=max(payload.max for payload in payloads),
        ),
        seconds=sum(summary.wall_seconds for summary in summaries),
        lr=summaries[0].lr,
        diverged=diverged or None,
    )
