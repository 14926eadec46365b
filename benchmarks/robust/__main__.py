"""``python -m benchmarks.robust tune|attacks|places|table``: see README.md beside this file."""

from __future__ import annotations

import argparse

from benchmarks.robust.evaluate import evaluate
from benchmarks.robust.tables import write_tables


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robust", description=__doc__)
    parser.add_argument("what", choices=["tune", "attacks", "places", "table"])
    what = parser.parse_args().what
    if what != "table":
        evaluate(what)
    write_tables()


if __name__ == "__main__":
    main()
