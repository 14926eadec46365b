"""Bytes per link and round: ``python -m studies.accuracy.payload``.

Nothing is trained; a payload is known from the networks and overlays alone.
"""

from __future__ import annotations

from parse_dfl.config import with_values
from parse_dfl.runs.setup import build_trial
from studies.accuracy.recipe import Cell, TopologySpec

METHODS = ("parse", "parse-adaptive", "dsgd-hybrid", "dsgd-task")
SETS = ("digits", "cremad_votes", "leaves100", "mfeat", "avdigits-hard", "utd_mhad", "motionsense")
COUNTS = (2, 5, 20, 67)
"""Agents of each of the three modality sets."""


def mean_and_largest(data: str, method: str, count: int) -> tuple[float, int]:
    """Return bytes per directed link in the last round: the mean and the largest."""
    recipe = TopologySpec()
    config = recipe.configuration(
        Cell(data, "5+5+5", "dirichlet:0.3"),
        method,
        training=recipe.values["training"],
        evaluate_on="validation",
    )
    config = with_values(
        config,
        {
            "agents": recipe.spelt(data, f"A={count},B={count},A+B={count}"),
            "data.samples_per_agent": "16",
            "method": method,
        },
    )
    simulator = build_trial(config, [100]).simulator
    simulator.trainer.round = config.training.rounds
    payload = simulator.payload()
    return payload.mean_bytes, payload.largest_bytes


def table() -> str:
    """Return a table, a row a set and number of agents, a column a method."""
    lines = [
        "| data | agents | " + " | ".join(METHODS) + " |",
        "|---|---|" + "---|" * len(METHODS),
    ]
    for data in SETS:
        for count in COUNTS if data == "digits" else (5,):
            found = [mean_and_largest(data, method, count) for method in METHODS]
            shown = " | ".join(f"{mean / 1e3:.1f} ({most / 1e3:.1f})" for mean, most in found)
            lines.append(f"| {data} | {3 * count} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print("kB per link and round: the mean over links (the largest).\n")
    print(table())
