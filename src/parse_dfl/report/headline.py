"""The first sentence of the page: what came out."""

from __future__ import annotations

from parse_dfl.report.cells import (
    MEAN,
    best_rival_sentence,
    best_sentence,
    duels_of_kind,
    duels_with_best,
    of_kind,
    standings_of,
    tally,
)
from parse_dfl.report.formatting import counted, percent, points_interval
from parse_dfl.report.rankings import rankings
from parse_dfl.report.records import Collection, Comparison, Record, Run
from parse_dfl.report.statistics import OURS, interval


def lead_of(record: Record) -> str | None:
    """One or two sentences; None where there is nothing to say yet."""
    match record:
        case Run(summary=None):
            return None
        case Run(summary=summary):
            assert summary
            if summary.diverged:
                return f"Diverged, so the numbers mean nothing: {summary.diverged.sentence}."
            return (
                f"{percent(summary.mean_accuracy)} % mean accuracy over all agents after "
                f"{summary.rounds} rounds."
            )
        case Comparison():
            return best_rival_sentence(record) or best_sentence(record)
        case Collection():
            return _of_collection(record)


def _of_collection(collection: Collection) -> str | None:
    means = of_kind(standings_of(collection), MEAN)
    duels = duels_of_kind(duels_with_best(means), MEAN)
    ranked = rankings(means)
    if not duels:
        missing = f"No cell holds {OURS} and a rival that share a seed."
        return f"{missing} {ranked[0].sentences}" if ranked else missing
    counts, raw = tally(duels), tally(duels, corrected=False)
    difference = interval([duel.difference.mean for duel in duels])
    cells = counted(len(means), "cell")
    over = cells if len(duels) == len(means) else f"{len(duels)} of {cells}"
    text = (
        f"Over {over} {OURS} differs from the best rival of each by "
        f"{points_interval(difference)} on average: {counted(counts['win'], 'win')}, "
        f"{counted(counts['tie'], 'tie')} and {counted(counts['loss'], 'loss', 'losses')} after "
        f"Holm's correction ({raw['win']}, {raw['tie']} and {raw['loss']} before it)."
    )
    if counts["untested"]:
        text += f" {counts['untested']} could not be tested: one seed in common."
    if OURS in ranked[0].ranks:
        ranks = ranked[0].ranks
        text += f" Its mean rank is {ranks[OURS]:.2f} of {len(ranks)}."
    return f"{text} {ranked[0].sentences}" if ranked[0].is_partial else text
