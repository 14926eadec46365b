"""What accuracy costs on the wire."""

from __future__ import annotations

from matplotlib.axes import Axes

from parse_dfl.report.cells import ranked
from parse_dfl.report.figures.collection_curves import mean_curves
from parse_dfl.report.formatting import file_size, listed, percent
from parse_dfl.report.records import Comparison
from parse_dfl.report.statistics import UPPER_BOUND, interval
from parse_dfl.report.style import INK, Picture, canvas, house_style, legend_below, look


@house_style
def payload(comparison: Comparison) -> Picture | None:
    """Mean accuracy against bytes per link: at the end, and on the way there."""
    order = ranked(comparison)
    if not order:
        return None
    curves = {name: curve for name, curve in mean_curves(comparison).items() if name in order}
    figure, panels = canvas(1, 2 if curves else 1, height=4.0, width=9.5 if curves else 7.5)
    _draw_ends(panels[0], comparison, order)
    if curves:
        for name, curve in curves.items():
            per_round = comparison.methods[name].payload_bytes_per_link / 1e6
            if per_round:
                sent = [number * per_round for number in curve]
                panels[1].plot(sent, list(curve.values()), markevery=2, **look(name).line)
        panels[1].set_xscale("log")
        panels[1].set_xlabel("sent over a link by then, MB")
        panels[1].set_title("on the way", fontsize=10)
        panels[0].set_title("at the end", fontsize=10)
    legend_below(figure, panels[0], columns=5 if curves else 4)
    return Picture(
        name="accuracy-and-payload",
        title="Accuracy against bytes sent",
        caption=_caption(comparison, order),
        figure=figure,
    )


def _draw_ends(panel: Axes, comparison: Comparison, order: list[str]) -> None:
    for name in order:
        result = comparison.methods[name]
        value = interval(result.mean_accuracy)
        half = None if value.half is None else 100 * value.half
        style = {**look(name).line, "linestyle": "none", "markersize": 8}
        kilobytes = result.payload_bytes_per_link / 1000
        panel.errorbar(
            kilobytes, 100 * value.mean, yerr=half, elinewidth=1.2, capsize=3, label=name, **style
        )
    if UPPER_BOUND in comparison.methods:
        bound = interval(comparison.methods[UPPER_BOUND].mean_accuracy).mean
        panel.axhline(100 * bound, color=INK, linestyle=":", label="oracle (all samples)")
    panel.set_xlabel("payload per link and round, kB")
    panel.set_ylabel("mean accuracy, %")
    panel.set_xlim(left=-0.03 * panel.get_xlim()[1])


def _caption(comparison: Comparison, order: list[str]) -> str:
    """Names the methods on the frontier: nothing cheaper is at least as accurate."""
    bytes_of = {name: comparison.methods[name].payload_bytes_per_link for name in order}
    frontier = [
        name
        for index, name in enumerate(order)
        if all(bytes_of[name] < bytes_of[better] for better in order[:index])
    ]
    named = [
        f"{name} ({percent(interval(comparison.methods[name].mean_accuracy).mean)} % "
        f"for {file_size(bytes_of[name])})"
        for name in frontier
    ]
    return (
        "Further up is more accurate, further left cheaper; bars are 95 % intervals. By their "
        f"means, no method is both cheaper and at least as accurate as {listed(named)}."
    )
