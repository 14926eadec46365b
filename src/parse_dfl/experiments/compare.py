"""Several methods on the same data, agents and seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from parse_dfl.distributed.ranks import launched_ranks
from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.experiments.config import RunConfig, to_dict, validate
from parse_dfl.experiments.ingredients import load_data, method_of
from parse_dfl.experiments.listeners import SILENT, Listener
from parse_dfl.experiments.own import NOTHING_OWN, Own
from parse_dfl.experiments.records import is_ours, prepare_output, read_json, write_json
from parse_dfl.experiments.run import CONFIG
from parse_dfl.experiments.session import CHECKPOINT, Session
from parse_dfl.experiments.trial import build_trial, check_ranks, groups_of_equal_work
from parse_dfl.methods.method import Method
from parse_dfl.numerals import LARGEST, LARGEST_REAL
from parse_dfl.training.checkpoint import read_tensors

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
    listener: Listener = SILENT,
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
    entries = dict(_entry(config, method, own) for method in methods)
    ranks = launched_ranks()
    for single, ingredients in entries.values():
        validate(single)
        check_ranks(single, method_of(single, ingredients), ranks)
    if config.engine != "simulate":
        raise ConfigError(
            f"a comparison trains several seeds side by side, which engine {config.engine!r} "
            "cannot; use engine 'simulate', or run each method and seed on its own"
        )
    base = None if out is None else Path(out)
    with ranks.agreeing():
        own = replace(own, data=own.data or load_data(config))
        if base is not None and ranks.leads:
            prepare_output(base, overwrite=overwrite, resume=resume)
            _claim(base, config)
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
        return method, (method_config(config, method), own)
    single = replace(method_config(config, method.name), method=config.method)
    return method.name, (single, replace(own, method=method))


def method_config(config: RunConfig, method: str) -> RunConfig:
    """The configuration of one method: ``METHOD.lr`` among the options is its learning rate.

    Raises:
        ConfigError: the learning rate is no number.
    """
    options = dict(config.method_options)
    lr = options.pop(f"{method}.lr", config.training.lr)
    if lr is not None and (isinstance(lr, bool) or not isinstance(lr, int | float)):
        raise ConfigError(f"option {method}.lr must be a number, not {lr!r}")
    if lr is not None and not 0 < lr <= LARGEST_REAL:
        raise ConfigError(f"option {method}.lr must be above 0, at most {LARGEST_REAL:g}, not {lr}")
    return replace(
        config,
        method=method,
        method_options=options,
        training=replace(config.training, lr=lr),
    )


def _claim(out: Path, config: RunConfig) -> None:
    """Write the configuration, or refuse to mix two experiments in one folder."""
    told = to_dict(config)
    path = out / CONFIG
    if path.exists() and read_json(path) != told:
        raise CheckpointError(
            f"{out} holds a comparison with other settings; give the options that it was started "
            "with, or start anew with --overwrite"
        )
    write_json(path, told)


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
    with ranks.agreeing():
        trial = build_trial(config, seeds, own, ranks)
        for seed, place in folders.items() if ranks.leads else ():
            prepare_output(place, overwrite=False, resume=is_ours(place))
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
