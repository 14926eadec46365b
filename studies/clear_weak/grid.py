"""A clear modality beside a weak one, over shapes, numbers of samples and partitions.

Every cell trains 5 + 5 + 5 agents that own the weak, the clear, or both modalities; in the
control the last five own the clear one alone.  Samples are dealt by position, so that these five
have the same samples in both, and the difference is what the weak modality does to an agent.
Scores are of the validation part, with seeds that no test run uses.

    python -m studies.clear_weak.grid [--cell vectors-50-iid ...]
    python -m studies.clear_weak.grid table

What has a result in results/grid is skipped.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from parse_dfl import Dataset, Federation, compare
from parse_dfl.methods import Parse
from studies.provenance import provenance, read_result, write_result

RESULTS = Path(__file__).with_name("results") / "grid"
SEEDS = (100, 101, 102, 103, 104)
GROUP = 5
ROUNDS = {50: 60, 200: 30, 1000: 10}
"""Samples an agent → rounds; 120 to 320 local steps in all."""
RECOMMENDED = {
    "optimizer": "adamw",
    "weight_decay": 0.3,
    "momentum": 0.0,
    "global_momentum": 0.8,
    "share_moments": "second",
    "lr": 0.012,
}
VARIANTS = {"weighed": Parse(), "plain sum": Parse(hold_out=0)}

Arrays = dict[str, NDArray[np.float32]]


def vectors(label: NDArray[np.int64], rng: np.random.Generator) -> Arrays:
    """Draw two clear numbers around the corners of a polygon, and 200 weak ones."""
    angle = 2 * np.pi * label / CLASSES["vectors"]
    clear = 4 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(size=(len(label), 2))
    return {"clear": clear, "weak": _patterns(label, rng, (200,), 0.075, 3)}


def series(label: NDArray[np.int64], rng: np.random.Generator) -> Arrays:
    """Draw waves of 24 steps whose frequency is the class's, the weak one far below the noise."""
    frequency = (1 + 2 * label[:, None]) / 16

    def waves(height: float) -> NDArray[np.float32]:
        phase = rng.uniform(0, 2 * np.pi, (len(label), 1))
        values = height * np.sin(2 * np.pi * frequency * np.arange(24) + phase)
        return (values + rng.normal(size=values.shape))[..., None].astype(np.float32)

    return {"clear": waves(3), "weak": waves(0.6)}


def images(label: NDArray[np.int64], rng: np.random.Generator) -> Arrays:
    """Draw pictures of 8 × 8: a pattern per class, the weak one far below the noise."""
    shape = (8, 8, 1)
    return {
        "clear": _patterns(label, rng, shape, 1, 10),
        "weak": _patterns(label, rng, shape, 0.35, 10),
    }


def _patterns(
    label: NDArray[np.int64],
    rng: np.random.Generator,
    shape: tuple[int, ...],
    height: float,
    classes: int,
) -> NDArray[np.float32]:
    """Draw a random pattern per class in noise of one, shape=(samples, *shape)."""
    patterns = height * rng.normal(size=(classes, *shape))
    values: NDArray[np.float32] = patterns[label] + rng.normal(size=(len(label), *shape))
    return values.astype(np.float32)


SHAPES: Mapping[str, Callable[[NDArray[np.int64], np.random.Generator], Arrays]] = {
    "vectors": vectors,
    "series": series,
    "images": images,
}
CLASSES = {"vectors": 3, "series": 3, "images": 10}
CELLS = {
    f"{shape}-{samples}-{partition}": (shape, samples, partition)
    for partition in ("iid", "dirichlet:0.3")
    for samples in ROUNDS
    for shape in SHAPES
}


def run(cell: str) -> dict[str, Any]:
    """Train one cell: its control, and every variant; accuracies in percent by seed."""
    shape, samples, partition = CELLS[cell]
    rng = np.random.default_rng(0)
    label = rng.permutation(np.arange(max(4000, 24 * samples)) % CLASSES[shape])
    data = Dataset.from_arrays(SHAPES[shape](label, rng), label, name=shape)

    def accuracies(method: Parse, agents: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
        federation = Federation(
            data,
            agents,
            partition=partition,
            samples_per_agent=samples,
            evaluate_on="validation",
        )
        rounds = ROUNDS[samples]
        study = compare(
            federation, [method], seeds=SEEDS, rounds=rounds, eval_every=rounds, **RECOMMENDED
        )
        found = [result.summary.agents for result in study.results["parse"]]
        return {
            agent.name: 100 * np.array([scores[index].accuracy for scores in found])
            for index, agent in enumerate(found[0])
        }

    control = accuracies(Parse(), {"weak": GROUP, "clear": 2 * GROUP})
    record: dict[str, Any] = {
        "cell": cell,
        "seeds": SEEDS,
        **provenance(),
        "weak": _mean(control, "weak", 0),
        "clear": _mean(control, "clear", GROUP),
    }
    for name, method in VARIANTS.items():
        scores = accuracies(method, {"weak": GROUP, "clear": GROUP, "clear+weak": GROUP})
        record[name] = _mean(scores, "clear+weak", 0)
    return record


def _mean(scores: Mapping[str, NDArray[np.float64]], group: str, first: int) -> list[float]:
    """Return the mean over five agents of a group, by seed."""
    agents = [scores[f"{group}-{index}"] for index in range(first, first + GROUP)]
    return [round(float(value), 4) for value in np.mean(agents, axis=0)]


def table() -> str:
    """Return a row per cell: the mean accuracies, and by how much both differ from the clear one
    alone, ± half the 95 % interval over the seeds."""
    head = ["cell", "weak alone", "clear alone", *(f"both, {name}" for name in VARIANTS)]
    rows = [head, ["---"] * len(head)]
    for cell in CELLS:
        path = RESULTS / f"{_file(cell)}.json"
        if not path.exists():
            continue
        record = read_result(path)
        row = [cell, *(f"{np.mean(record[name]):.1f}" for name in ("weak", "clear"))]
        for name in VARIANTS:
            change = np.array(record[name]) - np.array(record["clear"])
            half = student.ppf(0.975, len(change) - 1) * change.std(ddof=1) / len(change) ** 0.5
            row.append(f"{np.mean(record[name]):.1f} ({change.mean():+.2f} ± {half:.2f})")
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _file(cell: str) -> str:
    return cell.replace(":", "-")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("run", "table"), default="run")
    parser.add_argument("--cell", dest="cells", action="append", choices=CELLS)
    request = parser.parse_args(arguments)
    for cell in (request.cells or CELLS) if request.what == "run" else ():
        path = RESULTS / f"{_file(cell)}.json"
        if not path.exists():
            write_result(path, run(cell))
    print(table())


if __name__ == "__main__":
    main()
