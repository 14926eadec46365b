"""Draw the figures of one run: its overlays, and its slices in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from parse_dfl.records import Overlay
from parse_dfl.report.formatting import listed
from parse_dfl.report.load import (
    SLICE_KINDS,
    Comparison,
    Run,
    Slices,
    ordered_groups,
    read_slices,
    runs_of,
)
from parse_dfl.report.style import (
    FAINT,
    LINK,
    MARKERS,
    PALETTE,
    Picture,
    canvas,
    house_style,
    legend_below,
    panel_grid,
)

MOST_PANELS = 12
MOST_POINTS = 500
"""Points per map: more only cost time and hide each other."""
FEWEST_POINTS = 8
MOST_NAMED_CLASSES = 10

Point = tuple[float, float]


@house_style
def overlays(record: Run | Comparison) -> Picture | None:
    """Draw a panel per overlay; an agent stands where it stood, faint where it takes no part."""
    run = next((run for run in runs_of(record) if run.summary and run.summary.overlays), None)
    if run is None or run.summary is None:
        return None
    shown = run.summary.overlays[:MOST_PANELS]
    group_of = {agent.name: agent.group for agent in run.summary.agents}
    names = sorted({name for overlay in run.summary.overlays for name in overlay.members})
    names.sort(key=lambda name: (group_of.get(name, "").count("+"), group_of.get(name, "")))
    figure, panels, _ = panel_grid(len(shown), most_columns=4, row_height=2.5, extra=0.5)
    for panel, overlay in zip(panels, shown, strict=False):
        panel.set_axis_off()
        _draw_overlay(panel, overlay, _circle(names), group_of)
    legend_below(figure, panels[0])
    return Picture(
        name="overlays",
        title="Overlays",
        caption=_overlay_caption(run.name, shown, len(run.summary.overlays) - len(shown)),
        figure=figure,
    )


def _circle(names: Sequence[str]) -> dict[str, Point]:
    angles = [2 * pi * index / len(names) for index in range(len(names))]
    return {name: (sin(a), cos(a)) for name, a in zip(names, angles, strict=True)}


def _draw_overlay(
    panel: Axes, overlay: Overlay, points: Mapping[str, Point], group_of: Mapping[str, str]
) -> None:
    groups = ordered_groups(group_of.get(name, "?") for name in points)
    size = 60 if len(points) <= 30 else 14
    lines = [(points[a], points[b]) for a, b in overlay.edges if a in points and b in points]
    panel.add_collection(LineCollection(lines, colors=LINK, linewidths=0.9, zorder=1))
    for index, group in enumerate(groups):
        color, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        agents = [name for name in points if group_of.get(name, "?") == group]
        for is_member in (False, True):
            drawn = [points[name] for name in agents if (name in overlay.members) == is_member]
            panel.scatter(
                [x for x, _ in drawn],
                [y for _, y in drawn],
                s=size if is_member else size / 4,
                color=color if is_member else FAINT,
                marker=marker,
                zorder=2,
            )
        panel.scatter([], [], s=60, color=color, marker=marker, label=group)
    panel.set_title(overlay.label, fontsize=10)
    panel.set_xlim(-1.2, 1.2)
    panel.set_ylim(-1.2, 1.2)
    panel.set_aspect("equal")


def _overlay_caption(name: str, shown: Sequence[Overlay], hidden: int) -> str:
    widest = max(shown, key=lambda overlay: len(overlay.members))
    size = len(widest.members)
    alike = [overlay.label for overlay in shown if len(overlay.members) == size]
    text = (
        f"Each panel is one branch of {name}: its owners and the links over which they "
        f"exchange it. {listed(alike)} joined the most agents, {size}, over {len(widest.edges)} "
        "links; grey agents do not own the branch and never send or receive it."
    )
    return f"{text} {hidden} more overlays are not drawn." if hidden else text


@dataclass(frozen=True, kw_only=True)
class _Cloud:
    """The points of one map: every slice of a kind over the same samples."""

    kind: str
    values: NDArray[np.float64]  # shape=(points, width)
    label: NDArray[np.int64]  # shape=(points,)
    owner: NDArray[np.str_]  # shape=(points,)
    sample: NDArray[np.int64]  # shape=(points,)
    reach: int

    def alike(self, tag: NDArray[np.generic]) -> float | None:
        """Return the share of points whose nearest neighbour of another sample has their tag;
        None where no point has such a neighbour."""
        nearest = nearest_of_others(self.values, self.sample, self.reach)
        has_one = nearest >= 0
        return float(np.mean(tag[nearest[has_one]] == tag[has_one])) if has_one.any() else None


def nearest_of_others(
    values: NDArray[np.float64], sample: NDArray[np.int64], reach: int = 0
) -> NDArray[np.int64]:
    """Return the position of each point's nearest neighbour among the points of other samples.

    Several agents encode the same sample, and a sample's encodings lie closer together than
    anything else; the same holds for windows that share time steps.  Neither tells how the
    space is arranged, so they are passed over.

    Args:
        values: shape (points, width).
        sample: the sample of each point, as its position in the data set; shape (points,).
        reach: samples at most so many positions apart overlap (0: none do).

    Returns:
        Shape (points,); -1 where every other point is of the same or an overlapping sample.
    """
    distances = cdist(values, values)
    distances[np.abs(sample[:, None] - sample) <= reach] = np.inf
    return np.where(np.isinf(distances.min(axis=1)), -1, distances.argmin(axis=1))


@house_style
def slice_maps(record: Run | Comparison) -> Picture | None:
    """Draw t-SNE of the redundant, unique and synergistic slices of the first run that has some."""
    read = ((run, slices) for run in runs_of(record) if (slices := read_slices(run)))
    run, slices = next(read, (None, None))
    clouds = [cloud for kind in SLICE_KINDS if slices and (cloud := _cloud(slices, kind))]
    if not clouds or run is None or slices is None:
        return None
    figure, panels = canvas(2, len(clouds), height=6.6)
    for cloud, by_class, by_owner in zip(clouds, panels, panels[len(clouds) :], strict=False):
        points = _embed(cloud.values)
        by_class.set_title(f"{cloud.kind}: by class")
        by_owner.set_title(f"{cloud.kind}: by modality")
        _scatter_classes(by_class, points, cloud.label)
        _scatter_owners(by_owner, points, cloud.owner)
    _finish(figure, panels, clouds)
    name = f"{run.name}, seed {run.summary.seed}" if run.summary else run.name
    return Picture(
        name="slices",
        title="Slices in two dimensions",
        caption=f"Of {name}. {_slice_caption(clouds)}{_left_out(slices)}",
        figure=figure,
    )


def _cloud(slices: Slices, kind: str) -> _Cloud | None:
    """Return all slices of a kind, over the same seeded samples, so that they compare."""
    pieces = slices.of_kind(kind)
    if not pieces or len(slices.label) * len(pieces) < FEWEST_POINTS:
        return None
    count = min(len(slices.label), max(1, MOST_POINTS // len(pieces)))
    rows = np.random.default_rng(0).permutation(len(slices.label))[:count]
    return _Cloud(
        kind=kind,
        values=np.concatenate([piece.values[rows] for piece in pieces]),
        label=np.tile(slices.label[rows], len(pieces)),
        owner=np.repeat([piece.owner for piece in pieces], count),
        sample=np.tile(slices.sample[rows], len(pieces)),
        reach=slices.reach,
    )


def _embed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return two coordinates per point; at most a third of the points count as neighbours."""
    from sklearn.manifold import TSNE  # sets environment variables when it is imported

    perplexity = min(30.0, (len(values) - 1) / 3)
    start = "pca" if values.shape[1] > 1 and np.ptp(values) > 0 else "random"
    tsne = TSNE(perplexity=perplexity, init=start, random_state=0, max_iter=500)
    return np.asarray(tsne.fit_transform(values))


def _scatter_classes(panel: Axes, points: NDArray[np.float64], label: NDArray[np.int64]) -> None:
    """Draw up to ten classes in a colour and a marker each; more only in a colour."""
    classes = np.unique(label)
    for index, one in enumerate(classes):
        x, y = points[label == one].T
        marker = MARKERS[index % len(MARKERS)] if len(classes) <= MOST_NAMED_CLASSES else "o"
        color = PALETTE[index % len(PALETTE)]
        panel.scatter(x, y, s=13, marker=marker, color=color, linewidths=0, label=str(one))


def _scatter_owners(panel: Axes, points: NDArray[np.float64], owner: NDArray[np.str_]) -> None:
    for index, one in enumerate(sorted(set(owner.tolist())), start=1):
        color, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        x, y = points[owner == one].T
        panel.scatter(x, y, s=13, marker=marker, color=color, linewidths=0, label=one)


def _finish(figure: Figure, panels: Sequence[Axes], clouds: Sequence[_Cloud]) -> None:
    for panel in panels:
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(visible=False)
        panel.spines[:].set_visible(True)
    for panel in panels[len(clouds) :]:
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, markerscale=1.8)
    handles, labels = panels[0].get_legend_handles_labels()
    if len(labels) <= MOST_NAMED_CLASSES:
        figure.legend(handles, labels, title="class", loc="outside right upper", markerscale=1.8)


def _slice_caption(clouds: Sequence[_Cloud]) -> str:
    overlapping = ", nor of a window that overlaps it" if clouds[0].reach else ""
    text = (
        "t-SNE of each kind of slice, all modality sets' test samples together; distances between "
        "clusters mean nothing. In the full space the nearest neighbour, never an encoding of the "
        f"same sample by another agent{overlapping}, has the same class for "
        + listed([_share(cloud, cloud.label) for cloud in clouds])
    )
    mixed = [cloud for cloud in clouds if len(set(cloud.owner.tolist())) > 1]
    if not mixed:
        return f"{text}."
    return (
        f"{text}; it comes from the same modality for "
        + listed([_share(cloud, cloud.owner) for cloud in mixed])
        + ". A redundant slice that is the same whatever sensor it came from mixes the modalities."
    )


def _share(cloud: _Cloud, tag: NDArray[np.generic]) -> str:
    share = cloud.alike(tag)
    text = "– (all samples overlap)" if share is None else f"{100 * share:.0f} %"
    return f"{text} ({cloud.kind})"


def _left_out(slices: Slices) -> str:
    """Say what the maps do not show, and why."""
    shown = {id(piece) for kind in SLICE_KINDS for piece in slices.of_kind(kind)}
    narrow = [
        f"{piece.group}/{piece.kind}.{piece.owner}"
        for piece in slices.slices
        if id(piece) not in shown
    ]
    text = ""
    if narrow:
        text += f" Not drawn, because most slices of the kind have another width: {listed(narrow)}."
    if slices.dropped:
        text += f" Not drawn, because not finite: {listed(slices.dropped)}."
    return text
