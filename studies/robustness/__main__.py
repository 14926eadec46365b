"""``python -m studies.robustness tune|attacks|places|table``: see README.md beside this file."""

from __future__ import annotations

import argparse

from studies.robustness.evaluate import evaluate
from studies.robustness.tables import write_tables


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m studies.robustness", description=__doc__)
    parser.add_argument("what", choices=["tune", "attacks", "places", "table"])
    what = parser.parse_args().what
    if what != "table":
        evaluate(what)
    write_tables()


if __name__ == "__main__":
    main()
