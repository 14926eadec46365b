"""The table of what was measured: ``results/README.md``."""

from __future__ import annotations


def write_tables() -> None:
    """Placeholder."""
