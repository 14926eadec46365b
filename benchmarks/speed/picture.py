"""The growth over agents as a picture, for docs/scaling.md."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed.tables import cost, kept, series

PICTURE = Path(__file__).parents[2] / "docs" / "figures" / "growth-over-agents.svg"


def draw() -> None:
    """Draw the newest result that has the growth part; nothing where none has."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"  # equal results make equal files
    from matplotlib import pyplot

    found = [result["growth"] for result in kept() if result.get("growth")]
    if not found:
        return
    figure, (seconds, memory) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for name, rows in series(found[-1]).items():
        if not name.startswith("agents, ") or len(rows) < 2:
            continue
        label = name.removeprefix("agents, ")
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
