"""Write reports with this package's methods in their roles: ``report/`` knows none by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parse_dfl.records import Roles

ROLES = Roles(
    subject="parse",
    lower="local",
    upper="oracle",
    order=(
        "parse",
        "harmony",
        "dsgd-hybrid",
        "dsgd-modality",
        "dsgd-task",
        "gradient-surgery",
        "sheaf-dmfl",
        "local",
        "oracle",
    ),
)
"""PARSE against its rivals, between local training and training on everybody's samples."""


def write_report(directory: str | Path, *, levels: Sequence[float] | None = None) -> Path:
    """Write ``directory/report.html``, and its figures into ``directory/figures``.

    Warns of what could not be read and is left out.

    Args:
        directory: a run, finished or not, a comparison, or a folder of comparisons; for the latter
            two ``statistics.json`` says the same in numbers.
        levels: the accuracies, 0 to 1, for which the rounds and bytes are given that a method
            needs to reach them; None: 0.3, 0.4, …, 0.9.

    Raises:
        RecordError: the folder holds no record, or a damaged one.
        OutputError: the folder cannot be written to.
    """
    from parse_dfl.report import page, statistics_file

    return page.write_report(directory, ROLES, levels=levels or statistics_file.LEVELS)
