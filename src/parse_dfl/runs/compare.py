"""Several methods on the same data, agents and seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from parse_dfl.config import RunConfig, to_dict
from parse_dfl.engine.checkpoint import read_tensors
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import Method
from parse_dfl.ranks.group import launched_ranks
from parse_dfl.runs.callbacks import LOGGING, Listener
from parse_dfl.runs.folder import is_ours, output_folder, read_json, write_json
from parse_dfl.runs.resuming import CONFIG, claim
from parse_dfl.runs.session import CHECKPOINT, Session
from parse_dfl.runs.setup import NOTHING_OWN, Own, load_data, method_of, tell_notes
from parse_dfl.runs.trial import build_trial, check_ranks, groups_of_equal_work
from parse_dfl.text import LARGEST

COMPARISON = "comparison.json"
Summary = dict[str, Any]


def compare(
    config: RunConfig,
    methods: Sequence[str | Method],
    seeds: Sequence[int],
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener = LOGGING,
    own: Own = NOTHING_OWN,
) -> dict[str, Any]:
    """Run every method with all seeds side by side; each method is written when it is done.

    ``methods`` are names, or methods of your own.

    Returns:
        The comparison, as in ``comparison.json``.

    Raises:
        ParseDflError: bad settings, data or folder; what is finished stays.
    """
    if own.method is not None:
        raise ConfigError(
            f"own.method {own.method.name!r} would take the place of every method; give it among "
            "the methods to compare"
        )
    if bad := [seed for seed in seeds if not 0 <= seed <= LARGEST]:
        raise ConfigError(f"seed {bad[0]} must be at least 0 and at most {LARGEST}")
    listed = [_entry(config, method, own) for method in methods]
    entries = dict(listed)
    if len(entries) < len(listed):
        names = ", ".join(name for name, _ in listed)
        raise ConfigError(f"a method stands twice in {names}; name each once")
    ranks = launched_ranks()
    for single, ingredients in entries.values():
        check_ranks(single, method_of(single, ingredients), ranks)
    if config.engine != "simulate":
        raise ConfigError(
            f"a comparison trains several seeds side by side, which engine {config.engine!r} "
            "cannot; use engine 'simulate', or run each method and seed on its own"
        )
    base = None if out is None else Path(out)
    with ExitStack() as held:
        with ranks.agreeing():
            own = replace(own, data=own.data or load_data(config))
            if base is not None and ranks.leads:
                held.enter_context(output_folder(base, overwrite=overwrite, resume=resume))
                claim(base, config, {"methods": list(entries), "seeds": list(seeds)})
        if ranks.leads and own.data is not None:
            tell_notes(own.data, config.agents, listener)
        summaries: dict[str, list[Summary]] = {}
        for name, (single, ingredients) in entries.items():
            folder = base / name if base else None
            summaries[name] = _run_seeds(single, seeds, folder, listener, ingredients)
            if base is not None and ranks.leads:
                write_json(base / COMPARISON, comparison(config, summaries))
    return comparison(config, summaries)


def _entry(config: RunConfig, method: str | Method, own: Own) -> tuple[str, tuple[RunConfig, Own]]:
    """A method's name, its configuration and what of the user's own it is trained with."""
    if isinstance(method, str):
        return method, (config.for_method(method), own)
    return method.name, (config.for_method(f"own:{method.name}"), replace(own, method=method))


def _run_seeds(
    config: RunConfig, seeds: Sequence[int], folder: Path | None, listener: Listener, own: Own
) -> list[Summary]:
    summaries: dict[int, Summary] = {}
    for group in groups_of_equal_work(config, seeds, own):
        summaries |= _run_side_by_side(config, group, folder, listener, own)
    return [summaries[seed] for seed in seeds]


def _run_side_by_side(
    config: RunConfig, seeds: Sequence[int], folder: Path | None, listener: Listener, own: Own
) -> dict[int, Summary]:
    """The summaries of seeds that run as one; those that are on disk are only read."""
    if folder is None:
        trial = build_trial(config, seeds, own, launched_ranks())
        return Session(trial, {}, None, listener).run()
    while left := launched_ranks().tell(_left(seeds, folder)):
        _run_together(config, left, folder, listener, own)
    done = {seed: folder / f"seed-{seed}" / "summary.json" for seed in seeds}
    ranks = launched_ranks()
    read = [(seed, read_json(path)) for seed, path in done.items()] if ranks.leads else []
    return dict(ranks.tell(read))


def _left(seeds: Sequence[int], folder: Path) -> list[int]:
    """The seeds to run next: those of a stopped session, or all that have no summary."""
    left = [seed for seed in seeds if not (folder / f"seed-{seed}" / "summary.json").exists()]
    return left and (_stopped_at(folder / CHECKPOINT) or left)


def _stopped_at(checkpoint: Path) -> list[int]:
    """The seeds that a stopped session held, some of which it may have written already."""
    if not checkpoint.exists():
        return []
    held: list[int] = read_tensors(checkpoint)[1].get("seeds", [])
    return held


def _run_together(
    config: RunConfig, seeds: Sequence[int], folder: Path, listener: Listener, own: Own
) -> None:
    """Run seeds side by side, from the checkpoint if there is one, and write their records."""
    ranks = launched_ranks()
    folders = {seed: folder / f"seed-{seed}" for seed in seeds}
    with ExitStack() as held:
        with ranks.agreeing():
            trial = build_trial(config, seeds, own, ranks)
            for seed, place in folders.items() if ranks.leads else ():
                held.enter_context(output_folder(place, overwrite=False, resume=is_ours(place)))
                write_json(place / CONFIG, to_dict(replace(config, seed=seed)))
        session = Session(trial, folders, folder / CHECKPOINT, listener)
        session.resume()
        session.run()


def comparison(config: RunConfig, summaries: Mapping[str, Sequence[Summary]]) -> dict[str, Any]:
    """``comparison.json`` (contract, *Files*); values are in the order of the seeds."""
    return {
        "data": next(iter(summaries.values()))[0]["data"],
        "config": to_dict(config),
        "seeds": [summary["seed"] for summary in next(iter(summaries.values()))],
        "methods": {name: _method(rows) for name, rows in summaries.items()},
    }


def _method(rows: Sequence[Summary]) -> dict[str, Any]:
    groups = {
        key: {
            score: statistics([row["groups"][key][score] for row in rows])
            for score in ("accuracy", "macro_f1", "local_accuracy")
        }
        for key in rows[0]["groups"]
    }
    return {
        "groups": groups,
        "mean_accuracy": statistics([row["mean_accuracy"] for row in rows]),
        "payload_bytes_per_link": {
            "mean": sum(row["payload_bytes_per_link"]["mean"] for row in rows) / len(rows),
            "max": max(row["payload_bytes_per_link"]["max"] for row in rows),
        },
        "seconds": sum(row["wall_seconds"] for row in rows),
        "lr": rows[0]["lr"],
        "diverged": {str(row["seed"]): row["diverged"] for row in rows if row.get("diverged")}
        or None,
    }


def statistics(values: Sequence[float]) -> dict[str, Any]:
    """Mean, half-width of the 95 % interval (Student's t; None for one value), and the values."""
    from scipy.stats import t

    count, mean = len(values), sum(values) / len(values)
    if count < 2:
        return {"mean": mean, "ci95": None, "values": list(values)}
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(t.ppf(0.975, count - 1)) * deviation / math.sqrt(count)
    return {"mean": mean, "ci95": half, "values": list(values)}
