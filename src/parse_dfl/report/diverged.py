"""Methods whose agents have diverged: their numbers mean nothing, so nothing is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from parse_dfl.report.records import Collection, Comparison, Record, Run


def converged(comparison: Comparison) -> Comparison:
    """The comparison without the methods that have diverged in a seed."""
    if not comparison.diverged:
        return comparison
    left = {name: one for name, one in comparison.methods.items() if not one.diverged}
    runs = {name: own for name, own in comparison.runs.items() if name in left}
    return replace(comparison, methods=left, runs=runs)


def converged_record(record: Record) -> Record | None:
    """What of a record can be drawn; None where everything has diverged."""
    match record:
        case Run(summary=summary):
            return None if summary and summary.diverged else record
        case Comparison():
            left = converged(record)
            return left if left.methods else None
        case Collection():
            each = [one for one in map(converged, record.comparisons) if one.methods]
            return replace(record, comparisons=tuple(each)) if each else None


def sentences(comparison: Comparison) -> Iterator[str]:
    """Which methods have diverged, and where."""
    for name, result in comparison.methods.items():
        if result.diverged:
            where = "; ".join(
                f"seed {seed}: {found.sentence}" for seed, found in sorted(result.diverged.items())
            )
            yield (
                f"{name} diverged and is neither ranked nor compared ({where}); a lower learning "
                "rate may help"
            )


def diverged_sentences(record: Record) -> list[str]:
    """What of a record has diverged, each with the comparison that it is of."""
    match record:
        case Run():
            return []  # its own first sentence says so
        case Comparison():
            return list(sentences(record))
        case Collection():
            return [f"{one.name}: {text}" for one in record.comparisons for text in sentences(one)]
