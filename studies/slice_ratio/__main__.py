"""Does ``--split auto`` pay?  Equal thirds, the proposal, and the best ratio of a search.

    python -m studies.slice_ratio                 # every set
    python -m studies.slice_ratio digits mfeat    # some of them
    python -m studies.slice_ratio --latent 12     # where width is scarce (default: 96)

The search tries every ratio of the grid on validation samples, with seeds that no test run uses;
so does the comparison of the proposal with equal thirds, which is what a user could do.  Then
thirds, the proposal and the winner of the search are trained once with other seeds and judged on
the test part.  Everything else is as the defaults say, but for the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parse_dfl.config import DataConfig, NetworkConfig, RunConfig, TrainingConfig
from parse_dfl.runs.compare import compare
from parse_dfl.runs.folder import read_json
from studies.provenance import provenance, today, write_result

RESULTS = Path(__file__).with_name("results")
ROUNDS = 40
VALIDATION_SEEDS = (100, 101)
TEST_SEEDS = (0, 1, 2)
THIRDS = (1.0, 1.0, 1.0)
GRID = (
    THIRDS,
    (4.0, 1.0, 1.0),
    (1.0, 4.0, 1.0),
    (1.0, 1.0, 4.0),
)
AUTO = "auto"
Split = tuple[float, float, float] | str
SETS = {
    "synthetic": "a=5,b=5,a+b=5",
    "digits": "top=5,bottom=5,top+bottom=5",
    "mfeat": "fou=5,mor=5,fou+mor=5",
    "cremad_votes": "voice=5,face=5,voice+face=5",
    "leaves100": "margin=5,shape=5,margin+shape=5",
}


def main() -> None:
    """Run the sets named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=list(SETS), metavar="SET")
    parser.add_argument("--latent", type=int, default=NetworkConfig().latent, metavar="D")
    args = parser.parse_args()
    for name in args.sets:
        write_result(
            RESULTS / f"{today()}-{name}-latent-{args.latent}.json",
            provenance() | measure(name, args.latent),
        )


def measure(name: str, latent: int) -> dict[str, Any]:
    """Search on validation data, then judge the three ratios on test data."""
    searched = {
        _text(split): _run(name, latent, split, "validation", VALIDATION_SEEDS) for split in GRID
    }
    searched[AUTO] = _run(name, latent, AUTO, "validation", VALIDATION_SEEDS)
    best = max(GRID, key=lambda split: searched[_text(split)]["mean"])
    tested = {
        "thirds": _run(name, latent, THIRDS, "test", TEST_SEEDS),
        AUTO: _run(name, latent, AUTO, "test", TEST_SEEDS),
        "search": _run(name, latent, best, "test", TEST_SEEDS),
    }
    return {
        "data": name,
        "agents": SETS[name],
        "rounds": ROUNDS,
        "latent": latent,
        "validation_seeds": list(VALIDATION_SEEDS),
        "test_seeds": list(TEST_SEEDS),
        "validation": searched,
        "best_of_search": _text(best),
        "test": tested,
    }


def _run(name: str, latent: int, split: Split, part: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Return PARSE's mean accuracy over all agents with a ratio, as in ``comparison.json``."""
    config = RunConfig(
        agents=SETS[name],
        data=DataConfig(data=name, evaluate_on=part),
        network=NetworkConfig(latent=latent, split=split),
        training=TrainingConfig(rounds=ROUNDS),
        eval_every=ROUNDS,
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "x"
        found = compare(config, ["parse"], seeds, out=out)["methods"]["parse"]
        proposed = _proposed(out / "parse", seeds) if split == AUTO else {}
    groups = {group: scores["accuracy"]["mean"] for group, scores in found["groups"].items()}
    return {**found["mean_accuracy"], "groups": groups, **proposed}


def _proposed(folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the proposed ratios, in the order of the seeds."""
    summaries = [read_json(folder / f"seed-{seed}" / "summary.json") for seed in seeds]
    return {"proposed": [summary["proposed_split"]["ratios"] for summary in summaries]}


def _text(split: Sequence[float]) -> str:
    return ",".join(f"{ratio:g}" for ratio in split)


if __name__ == "__main__":
    main()
