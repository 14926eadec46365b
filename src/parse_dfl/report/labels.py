"""What each comparison of a folder is called."""

from __future__ import annotations

from parse_dfl.report.records import Collection


def labels_of(collection: Collection) -> tuple[str, ...]:
    """The data set of each comparison; its own name where two share a data set."""
    data = [comparison.data for comparison in collection.comparisons]
    return tuple(
        comparison.name if data.count(comparison.data) > 1 else comparison.data
        for comparison in collection.comparisons
    )
