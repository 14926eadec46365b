"""The first sentence of the page: what came out."""

from __future__ import annotations

from parse_dfl.report.duels import duels_of_kind, duels_with_best, tally
from parse_dfl.report.ranking import best_rival_sentence, best_sentence, mean_ranks
from parse_dfl.report.records import Collection, Comparison, Record, Run
from parse_dfl.report.standings import MEAN, of_kind, standings_of
from parse_dfl.report.statistics import OURS, interval
from parse_dfl.report.units import counted, percent, points_interval


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
    if not duels:
        return None
    counts, raw = tally(duels), tally(duels, corrected=False)
    difference = interval([duel.difference.mean for duel in duels])
    text = (
        f"Over {len(duels)} cells {OURS} differs from the best rival of each by "
        f"{points_interval(difference)} on average: {counted(counts['win'], 'win')}, "
        f"{counted(counts['tie'], 'tie')} and {counted(counts['loss'], 'loss', 'losses')} after "
        f"Holm's correction ({raw['win']}, {raw['tie']} and {raw['loss']} before it)."
    )
    ranks = mean_ranks(means)
    return f"{text} Its mean rank is {ranks[OURS]:.2f} of {len(ranks)}." if OURS in ranks else text
