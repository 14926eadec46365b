"""What each comparison of a folder is called."""

from __future__ import annotations

from parse_dfl.report.records import Collection

SINGLE = "single runs"


def labels_of(collection: Collection) -> tuple[str, ...]:
    """The data set of each comparison; its own name where two share a data set.

    Single runs are marked as such beside comparisons, and no two labels are equal.
    """
    data = [comparison.data for comparison in collection.comparisons]
    is_mixed = len({comparison.is_gathered for comparison in collection.comparisons}) > 1
    labels: list[str] = []
    for comparison in collection.comparisons:
        label = comparison.name if data.count(comparison.data) > 1 else comparison.data
        label += f" ({SINGLE})" if is_mixed and comparison.is_gathered else ""
        same = sum(other == label or other.startswith(f"{label} #") for other in labels)
        labels.append(f"{label} #{same + 1}" if same else label)
    return tuple(labels)
