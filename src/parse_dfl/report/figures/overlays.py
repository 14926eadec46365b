"""Who exchanges which branch with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, pi, sin

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from parse_dfl.report.formatting import listed
from parse_dfl.report.records import Comparison, Overlay, Run, ordered_groups, runs_of
from parse_dfl.report.style import (
    FAINT,
    LINK,
    MARKERS,
    PALETTE,
    Picture,
    canvas,
    house_style,
    legend_below,
)

MOST_PANELS = 12

Point = tuple[float, float]


@house_style
def overlays(record: Run | Comparison) -> Picture | None:
    """A panel per overlay; every agent keeps its place, those that take no part are faint."""
    run = next((run for run in runs_of(record) if run.summary and run.summary.overlays), None)
    if run is None or run.summary is None:
        return None
    shown = run.summary.overlays[:MOST_PANELS]
    group_of = {agent.name: agent.group for agent in run.summary.agents}
    names = sorted({name for overlay in run.summary.overlays for name in overlay.members})
    names.sort(key=lambda name: (group_of.get(name, "").count("+"), group_of.get(name, "")))
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure, panels = canvas(rows, columns, height=2.5 * rows + 0.5)
    for index, panel in enumerate(panels):
        panel.set_axis_off()
        if index < len(shown):
            _draw(panel, shown[index], _circle(names), group_of)
    legend_below(figure, panels[0])
    return Picture(
        name="overlays",
        title="Overlays",
        caption=_caption(run, shown),
        figure=figure,
    )


def _circle(names: Sequence[str]) -> dict[str, Point]:
    angles = [2 * pi * index / len(names) for index in range(len(names))]
    return {name: (sin(a), cos(a)) for name, a in zip(names, angles, strict=True)}


def _draw(
    panel: Axes, overlay: Overlay, places: Mapping[str, Point], group_of: Mapping[str, str]
) -> None:
    groups = ordered_groups(group_of.get(name, "?") for name in places)
    size = 60 if len(places) <= 30 else 14
    lines = [(places[a], places[b]) for a, b in overlay.edges if a in places and b in places]
    panel.add_collection(LineCollection(lines, colors=LINK, linewidths=0.9, zorder=1))
    for index, group in enumerate(groups):
        color, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        inside = [name for name in places if group_of.get(name, "?") == group]
        for taking_part in (False, True):
            points = [places[n] for n in inside if (n in overlay.members) == taking_part]
            x, y = [point[0] for point in points], [point[1] for point in points]
            if taking_part:
                panel.scatter(x, y, s=size, color=color, marker=marker, zorder=2)
            else:
                panel.scatter(x, y, s=size / 4, color=FAINT, marker=marker, zorder=2)
        panel.scatter([], [], s=60, color=color, marker=marker, label=group)
    panel.set_title(overlay.label, fontsize=10)
    panel.set_xlim(-1.2, 1.2)
    panel.set_ylim(-1.2, 1.2)
    panel.set_aspect("equal")


def _caption(run: Run, shown: Sequence[Overlay]) -> str:
    widest = max(shown, key=lambda overlay: len(overlay.members))
    size = len(widest.members)
    alike = [overlay.label for overlay in shown if len(overlay.members) == size]
    text = (
        f"Each panel is one branch of {run.name}: its owners and the links over which they "
        f"exchange it. {listed(alike)} joined the most agents, {size}, over {len(widest.edges)} "
        "links; grey agents do not own the branch and never send or receive it."
    )
    hidden = len(run.summary.overlays) - len(shown) if run.summary else 0
    return f"{text} {hidden} more overlays are not drawn." if hidden else text
