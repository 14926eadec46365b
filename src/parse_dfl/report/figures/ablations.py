"""One setting changed, all others equal: a panel per setting that a folder varies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import fill

from matplotlib.axes import Axes

from parse_dfl.report.ablation_axes import SPLIT, Variation, short_name, told, variations
from parse_dfl.report.formatting import listed, percent
from parse_dfl.report.records import Collection
from parse_dfl.report.statistics import OURS, interval, is_ranked
from parse_dfl.report.style import Picture, canvas, house_style, legend_below, look

MOST_PANELS = 12
WIDE = 20
"""Numbers whose largest is so many times the smallest stand on a logarithmic axis."""


@house_style
def ablations(collection: Collection) -> Picture | None:
    """Numbers make a curve, names a row of dots; bars are 95 % intervals over seeds."""
    found = [one for one in variations(collection) if one.place != SPLIT]
    if not found:
        return None
    shown = found[:MOST_PANELS]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, panels = canvas(rows, columns, height=2.7 * rows + 0.7, width=3.3 * columns + 0.4)
    for index, panel in enumerate(panels):
        panel.set_visible(index < len(shown))
        if index % columns == 0:
            panel.set_ylabel("mean accuracy, %")
    for panel, variation in zip(panels, shown, strict=False):
        _draw(panel, variation)
    legend_below(figure, max(panels, key=lambda panel: len(panel.containers)), columns=4)
    return Picture(
        name="ablations",
        title="One setting at a time",
        caption=_caption(shown, len(found) - len(shown)),
        figure=figure,
    )


def _draw(panel: Axes, variation: Variation) -> None:
    values = [value for value, _ in variation.at]
    methods = dict.fromkeys(m for _, comparison in variation.at for m in comparison.methods)
    places: Sequence[float] = values if variation.is_numeric else range(len(values))
    for index, method in enumerate(methods):
        points = [
            (place, interval(comparison.methods[method].mean_accuracy))
            for place, (_, comparison) in zip(places, variation.at, strict=True)
            if method in comparison.methods
        ]
        shift = 0.0 if variation.is_numeric else 0.12 * (index - (len(methods) - 1) / 2)
        style = look(method).line | ({} if variation.is_numeric else {"linestyle": "none"})
        bars = [100 * (value.half or 0) for _, value in points]
        panel.errorbar(
            [place + shift for place, _ in points],
            [100 * value.mean for _, value in points],
            yerr=bars if any(bars) else None,
            elinewidth=1,
            capsize=2,
            label=method,
            **style,
        )
    _axis(panel, variation, values)


def _axis(panel: Axes, variation: Variation, values: Sequence[float]) -> None:
    panel.set_title(fill(variation.fixed, 42), fontsize=8.5)
    panel.set_xlabel(variation.name)
    if not variation.is_numeric:
        panel.set_xticks(range(len(values)), [told(value) for value in values], rotation=20)
        panel.grid(visible=False, axis="x")
    elif min(values) > 0 and max(values) / min(values) >= WIDE:
        panel.set_xscale("log")
        panel.set_xticks(values, [told(value) for value in values])
        panel.minorticks_off()


def _caption(shown: Sequence[Variation], hidden: int) -> str:
    told_settings = []
    for place, same in groupby(shown, key=lambda one: one.place):
        best = [_best(one) for one in same]
        told_settings.append(f"{short_name(place)} {listed(best)}")
    text = (
        "Every panel changes one setting and leaves all others alone (its title says which). "
        f"The best mean at each: {'; '.join(told_settings)}."
    )
    return f"{text} {hidden} more panels are not drawn." if hidden else text


def _best(variation: Variation) -> str:
    """Where PARSE, or the best method without it, is highest."""
    names = {name for _, comparison in variation.at for name in comparison.methods}
    name = OURS if OURS in names else min(filter(is_ranked, names), default="")
    means = {
        told(value): interval(comparison.methods[name].mean_accuracy).mean
        for value, comparison in variation.at
        if name in comparison.methods
    }
    if not means:
        return "–"
    best = max(means, key=lambda value: means[value])
    return f"{best} ({percent(means[best])} %)"
