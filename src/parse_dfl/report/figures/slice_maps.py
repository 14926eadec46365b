"""The slices in two dimensions, by class and by modality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from parse_dfl.report.formatting import listed
from parse_dfl.report.neighbours import nearest_of_others
from parse_dfl.report.records import KINDS, Comparison, Run, Slices, read_slices, runs_of
from parse_dfl.report.style import MARKERS, PALETTE, Picture, canvas, house_style

MOST_POINTS = 500
"""Points per map: more only cost time and hide each other."""
FEWEST_POINTS = 8
MOST_NAMED_CLASSES = 10


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
        """The share of points whose nearest neighbour of another sample carries the same tag;
        None where no point has such a neighbour."""
        nearest = nearest_of_others(self.values, self.sample, self.reach)
        known = nearest >= 0
        return float(np.mean(tag[nearest[known]] == tag[known])) if known.any() else None


@house_style
def slice_maps(record: Run | Comparison) -> Picture | None:
    """t-SNE of the redundant, unique and synergistic slices of the first run that left some."""
    read = ((run, slices) for run in runs_of(record) if (slices := read_slices(run)))
    run, found = next(read, (None, None))
    clouds = [cloud for kind in KINDS if found and (cloud := _cloud(found, kind))]
    if not clouds or run is None or found is None:
        return None
    figure, panels = canvas(2, len(clouds), height=6.6)
    for index, cloud in enumerate(clouds):
        places = _embed(cloud.values)
        by_class, by_owner = panels[index], panels[index + len(clouds)]
        by_class.set_title(f"{cloud.kind}: by class")
        by_owner.set_title(f"{cloud.kind}: by modality")
        _scatter_classes(by_class, places, cloud.label)
        _scatter_owners(by_owner, places, cloud.owner)
    _finish(figure, panels, clouds)
    return Picture(
        name="slices",
        title="Slices in two dimensions",
        caption=f"Of {_told(run)}. {_caption(clouds)}{_left_out(found)}",
        figure=figure,
    )


def _cloud(slices: Slices, kind: str) -> _Cloud | None:
    """All slices of a kind; the same seeded samples of each, so that they can be compared."""
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
    """Two coordinates per point; at most a third of the points count as neighbours."""
    from sklearn.manifold import TSNE  # sets environment variables when it is imported

    perplexity = min(30.0, (len(values) - 1) / 3)
    start = "pca" if values.shape[1] > 1 and np.ptp(values) > 0 else "random"
    tsne = TSNE(perplexity=perplexity, init=start, random_state=0, max_iter=500)
    return np.asarray(tsne.fit_transform(values))


def _scatter_classes(panel: Axes, places: NDArray[np.float64], label: NDArray[np.int64]) -> None:
    """Up to ten classes each have a colour and a marker; more only a colour."""
    classes = np.unique(label)
    for index, one in enumerate(classes):
        x, y = places[label == one].T
        marker = MARKERS[index % len(MARKERS)] if len(classes) <= MOST_NAMED_CLASSES else "o"
        color = PALETTE[index % len(PALETTE)]
        panel.scatter(x, y, s=13, marker=marker, color=color, linewidths=0, label=str(one))


def _scatter_owners(panel: Axes, places: NDArray[np.float64], owner: NDArray[np.str_]) -> None:
    for index, one in enumerate(sorted(set(owner.tolist()))):
        color, marker = PALETTE[(index + 1) % len(PALETTE)], MARKERS[(index + 1) % len(MARKERS)]
        x, y = places[owner == one].T
        panel.scatter(x, y, s=13, marker=marker, color=color, linewidths=0, label=one)


def _finish(figure: Figure, panels: list[Axes], clouds: list[_Cloud]) -> None:
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


def _told(run: Run) -> str:
    return f"{run.name}, seed {run.summary.seed}" if run.summary else run.name


def _caption(clouds: list[_Cloud]) -> str:
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
    found = cloud.alike(tag)
    told = "– (all samples overlap)" if found is None else f"{100 * found:.0f} %"
    return f"{told} ({cloud.kind})"


def _left_out(found: Slices) -> str:
    """What the maps do not show, and why."""
    shown = {id(piece) for kind in KINDS for piece in found.of_kind(kind)}
    narrow = [
        f"{piece.group}/{piece.kind}.{piece.owner}"
        for piece in found.slices
        if id(piece) not in shown
    ]
    text = ""
    if narrow:
        text += f" Not drawn, because most slices of the kind have another width: {listed(narrow)}."
    if found.dropped:
        text += f" Not drawn, because not finite: {listed(list(found.dropped))}."
    return text
