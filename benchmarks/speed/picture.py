"""The growth over agents as a picture, for docs/scaling.md."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed.tables import Row, cost, kept, series

PICTURE = Path(__file__).parents[2] / "docs" / "figures" / "growth-over-agents.svg"


def draw() -> None:
    """Draw the newest of each series over agents; nothing where there is none."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"  # equal results make equal files
    from matplotlib import pyplot

    found = newest_over_agents()
    if not found:
        return
    figure, (seconds, memory) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for label, rows in found.items():
        agents = [row["size"] for row in rows]
        costs = [cost(row) for row in rows]
        seconds.loglog(agents, [each.round for each in costs], marker="o", label=label)
        memory.loglog(agents, [each.own_bytes / 2**30 for each in costs], marker="o")
    seconds.set(xlabel="agents", ylabel="seconds a round")
    memory.set(xlabel="agents", ylabel="GiB")
    seconds.legend(fontsize=8, frameon=False)
    for axes in (seconds, memory):
        axes.grid(alpha=0.3)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})
    pyplot.close(figure)


def newest_over_agents() -> dict[str, list[Row]]:
    """The newest rows of every series over agents that has two sizes at least."""
    return {
        name.removeprefix("agents, "): rows
        for result in kept()
        for name, rows in series(result.get("growth", [])).items()
        if name.startswith("agents, ") and len(rows) > 1
    }
