"""``statistics.json``: all that the page says in numbers, for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from parse_dfl.io import json_text, write_atomically
from parse_dfl.report.cells import (
    KINDS,
    Duel,
    Standing,
    duels_of_kind,
    duels_with_all,
    duels_with_best,
    of_kind,
    standings_of,
    tally,
    unpaired,
)
from parse_dfl.report.cost_to_accuracy import LEVELS, reached
from parse_dfl.report.diverged import diverged_sentences
from parse_dfl.report.load import labels_of
from parse_dfl.report.rankings import Ranking, rankings
from parse_dfl.report.records import Collection, Comparison
from parse_dfl.report.statistics import OURS, Interval, interval

FILE = "statistics.json"


def write_statistics(
    record: Comparison | Collection, levels: Sequence[float] = LEVELS
) -> dict[str, Any]:
    """Write the statistics of a record beside its page, and return them.

    Raises:
        OutputError: the folder cannot be written to.
    """
    found = statistics_of(record, levels)
    write_atomically(record.directory / FILE, f"{json_text(found, indent=1)}\n".encode())
    return found


def statistics_of(
    record: Comparison | Collection, levels: Sequence[float] = LEVELS
) -> dict[str, Any]:
    """The content of ``statistics.json`` (docs/statistics.md)."""
    standings = standings_of(record)
    best, every = duels_with_best(standings), duels_with_all(standings)
    by_cell = {(duel.standing.comparison, duel.standing.scope): duel for duel in best}
    return {
        "ours": OURS,
        "summary": {
            kind: _family(of_kind(standings, kind), duels_of_kind(best, kind), every)
            for kind in KINDS
        },
        "cells": [
            _cell(standing, by_cell.get((standing.comparison, standing.scope)))
            for standing in standings
        ],
        "reached": list(_reached(record, levels)),
        "problems": [*record.problems, *diverged_sentences(record)],
        "unpaired": unpaired(standings),
    }


def _family(
    standings: Sequence[Standing], best: Sequence[Duel], every: Sequence[Duel]
) -> dict[str, Any]:
    """What the cells of one kind say together."""
    own = {(standing.comparison, standing.scope) for standing in standings}
    behind = [
        {"cell": duel.standing.comparison, "scope": duel.standing.scope, "rival": duel.rival}
        for duel in every
        if (duel.standing.comparison, duel.standing.scope) in own and duel.outcome == "loss"
    ]
    ranked = rankings(standings)
    return {
        "cells": len(standings),
        "against_best_rival": tally(best),
        "against_best_rival_uncorrected": tally(best, corrected=False),
        "mean_difference": float(np.mean([duel.difference.mean for duel in best]))
        if best
        else None,
        "behind_any_rival": behind,
        "mean_rank": dict(ranked[0].ranks) if ranked else {},
        "rankings": list(map(_ranking, ranked)),
        "gap_closed": gaps_closed(standings),
    }


def _ranking(found: Ranking) -> dict[str, Any]:
    return {
        "ranks": dict(found.ranks),
        "cells": list(found.cells),
        "left_out": list(found.left_out),
        "unranked": {
            name: {"cells": cells, "leads": leads}
            for name, (cells, leads) in found.unranked.items()
        },
    }


def gaps_closed(standings: Sequence[Standing]) -> dict[str, dict[str, float]]:
    """Method → mean gap closed, and over how many cells it is defined."""
    names = sorted({name for standing in standings for name in standing.values})
    found = {
        name: [gap for one in standings if (gap := one.gap_closed(name)) is not None]
        for name in names
    }
    return {
        name: {"mean": float(np.mean(gaps)), "cells": len(gaps)}
        for name, gaps in found.items()
        if gaps
    }


def _cell(standing: Standing, duel: Duel | None) -> dict[str, Any]:
    return {
        "cell": standing.comparison,
        "scope": standing.scope,
        "kind": standing.kind,
        "methods": {
            name: {
                **_interval(interval(values)),
                "values": list(values),
                "gap_closed": standing.gap_closed(name),
            }
            for name, values in standing.values.items()
        },
        "diverged": list(standing.diverged),
        "against_best_rival": None
        if duel is None
        else {
            "rival": duel.rival,
            "difference": _interval(duel.difference),
            "p": duel.p,
            "p_holm": duel.p_holm,
            "outcome": duel.outcome,
        },
    }


def _reached(record: Comparison | Collection, levels: Sequence[float]) -> Iterable[dict[str, Any]]:
    comparisons = (record,) if isinstance(record, Comparison) else record.comparisons
    labels = (record.data,) if isinstance(record, Comparison) else labels_of(record)
    for comparison, label in zip(comparisons, labels, strict=True):
        for one in reached(comparison, levels):
            rounds = None if one.rounds is None else _interval(one.rounds)
            yield {"cell": label, **asdict(one), "rounds": rounds}


def _interval(value: Interval) -> dict[str, Any]:
    return {"mean": value.mean, "ci95": value.half}
