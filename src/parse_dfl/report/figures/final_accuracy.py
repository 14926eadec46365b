"""Final accuracy of every method, per agent group and over all agents."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from parse_dfl.report.cells import best_sentence, ranked
from parse_dfl.report.records import Comparison
from parse_dfl.report.statistics import Interval, interval, is_ranked
from parse_dfl.report.style import Picture, canvas, house_style, look

MEAN = "all agents"


@house_style
def final_accuracy(comparison: Comparison) -> Picture:
    """A dot per method with its 95 % interval, the best method on top."""
    order = [*ranked(comparison), *(m for m in comparison.methods if not is_ranked(m))]
    titles = [*comparison.groups, MEAN]
    columns = min(4, len(titles))
    rows = -(-len(titles) // columns)
    figure, panels = canvas(rows, columns, height=rows * (0.9 + 0.27 * len(order)))
    for index, panel in enumerate(panels):
        panel.set_visible(index < len(titles))
        panel.tick_params(left=False, labelleft=index % columns == 0)
    for panel, title in zip(panels, titles, strict=False):
        panel.set_title(title, fontweight="bold" if title == MEAN else "normal")
        panel.set_xlabel("accuracy, %")
        _draw(panel, order, _intervals(comparison, title))
    return Picture(
        name="final-accuracy",
        title="Final accuracy",
        caption=f"Dots are means over seeds, bars 95 % intervals. {best_sentence(comparison)}",
        figure=figure,
    )


def _intervals(comparison: Comparison, title: str) -> Mapping[str, Interval]:
    values = {
        name: result.mean_accuracy if title == MEAN else result.groups.get(title)
        for name, result in comparison.methods.items()
    }
    return {name: interval(found) for name, found in values.items() if found}


def _draw(panel: Axes, order: list[str], intervals: Mapping[str, Interval]) -> None:
    for row, name in enumerate(order):
        if name not in intervals:
            continue
        value = intervals[name]
        half = None if value.half is None else 100 * value.half
        style = {**look(name).line, "linestyle": "none"}
        panel.errorbar(100 * value.mean, row, xerr=half, elinewidth=1.6, capsize=3, **style)
    panel.set_yticks(range(len(order)), order)
    panel.set_ylim(len(order) - 0.4, -0.6)
    panel.grid(visible=False, axis="x")
