"""What accuracy costs on the wire."""

from __future__ import annotations

from parse_dfl.report.ranking import ranked
from parse_dfl.report.records import Comparison
from parse_dfl.report.statistics import UPPER_BOUND, interval
from parse_dfl.report.style import Picture, canvas, house_style, legend_below, look
from parse_dfl.report.units import file_size, listed, percent


@house_style
def payload(comparison: Comparison) -> Picture | None:
    """Mean accuracy against bytes per link, a dot per method; the oracle is a line."""
    order = ranked(comparison)
    if not order:
        return None
    figure, (panel,) = canvas(1, 1, height=4.2, width=7.5)
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
        panel.axhline(100 * bound, color="black", linestyle=":", label="oracle (all samples)")
    panel.set_xlabel("payload per link, kB")
    panel.set_ylabel("mean accuracy, %")
    panel.set_xlim(left=-0.03 * panel.get_xlim()[1])
    legend_below(figure, panel)
    return Picture(
        name="accuracy-and-payload",
        title="Accuracy against bytes sent",
        caption=_caption(comparison, order),
        figure=figure,
    )


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
