"""Run the reference cases and write down what they give.

python -m tests.reference.measure            # compare with values.json, case by case
python -m tests.reference.measure --record   # replace values.json; say why in the commit
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from parse_dfl.cli import main
from tests.reference.cases import CASES, command_line, tolerance

VALUES = Path(__file__).with_name("values.json")

Values = dict[str, float]


def measure(case: Mapping[str, str], folder: Path) -> Values:
    """Run a case and return its numbers: accuracies, losses, payload, norms of parameters.

    Norms are over all of an agent's tensors, so that a tensor's name may change.
    """
    with redirect_stdout(io.StringIO()):
        status = main(command_line(case, str(folder)))
    if status:
        raise RuntimeError(f"exit status {status} of {' '.join(command_line(case, str(folder)))}")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    values = {
        "payload_bytes_per_round": summary["payload_bytes_per_round"],
        "payload_bytes_per_link": summary["payload_bytes_per_link"]["mean"],
    }
    for group, scores in summary["groups"].items():
        values |= {f"{group} {name}": scores[name] for name in ("loss", "parameters")}
    for path in sorted((folder / "agents").glob("*.safetensors")):
        tensors = [value.astype(np.float64) for value in _floats(path)]
        squares = sum(float(np.square(value).sum()) for value in tensors)
        values[f"{path.stem} norm"] = math.sqrt(squares)
        values[f"{path.stem} sum"] = math.sqrt(sum(float(value.sum()) ** 2 for value in tensors))
    return values


def differences(
    measured: Mapping[str, float], known: Mapping[str, float], allowed: float
) -> list[str]:
    """Return a line per value that is missing, new, or differs by more than ``allowed``."""
    lines = [f"{name}: only in one of both" for name in sorted(measured.keys() ^ known.keys())]
    for name in sorted(measured.keys() & known.keys()):
        now, before = measured[name], known[name]
        if not math.isclose(now, before, rel_tol=allowed, abs_tol=allowed):
            lines.append(f"{name}: {before!r} before, {now!r} now")
    return lines


def load_values() -> dict[str, Values]:
    """Return the recorded values by case."""
    recorded: dict[str, Values] = json.loads(VALUES.read_text(encoding="utf-8"))
    return recorded


def _floats(path: Path) -> list[np.ndarray]:
    return [value for value in load_file(path).values() if value.dtype.kind == "f"]


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="replace the recorded values")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="some cases (default: all)")
    args = parser.parse_args()
    names = args.cases or list(CASES)
    recorded = load_values() if VALUES.exists() else {}
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(CASES[name], Path(folder) / "run")
        if args.record:
            recorded[name] = measured
            print(f"{name}: recorded {len(measured)} values", flush=True)
            continue
        lines = differences(measured, recorded[name], tolerance(CASES[name]))
        failed += bool(lines)
        print(f"{name}: {'differs' if lines else 'equal'}", *lines, sep="\n  ", flush=True)
    if args.record:
        text = json.dumps(recorded, indent=1, sort_keys=True)
        VALUES.write_text(text + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(_main())
