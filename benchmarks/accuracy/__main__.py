"""``python -m benchmarks.accuracy tune|run|table``: see README.md beside this file."""

from __future__ import annotations

import argparse

from benchmarks.accuracy.evaluate import evaluate, write_tables
from benchmarks.accuracy.tune import tune


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("what", choices=["tune", "run", "table"])
    parser.add_argument("names", nargs="*", help="methods to tune, or sets to run (default: all)")
    args = parser.parse_args()
    if args.what == "tune":
        tune(args.names or None)
    elif args.what == "run":
        evaluate(args.names or None)
    else:
        write_tables()


if __name__ == "__main__":
    main()
