"""How figures look: one colour, marker and line for a method everywhere.

Colours are Okabe and Ito's, told apart with any colour vision, plus grey and olive; the markers
tell the methods apart without colour.  ``parse@RULE`` has the colour and marker of its rule,
hollow and dashed: the same sharing on another network.

Paper, ink and the greys between are named here, because the page turns exactly these into their
counterparts on a dark screen (``inline.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAPER, INK = "#fffffe", "#1d1f22"
SOFT, LINK, FAINT, GRID = "#5c6066", "#777778", "#c9cacc", "#e4e4e4"
ON_DARK, ON_LIGHT = "#fffffd", "#000001"
"""Text on a coloured cell: it follows the cell, not the page."""
WIN, LOSS = "#0072B2", "#D55E00"


@dataclass(frozen=True, kw_only=True)
class Look:
    """A method's colour and marker; a control is hollow and dashed."""

    color: str
    marker: str
    is_control: bool = False

    @property
    def line(self) -> dict[str, Any]:
        """Keyword arguments of ``Axes.plot``."""
        return {
            "color": self.color,
            "marker": self.marker,
            "markerfacecolor": PAPER if self.is_control else self.color,
            "linestyle": "--" if self.is_control else "-",
        }


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawn figure: the stem of its files, its title, and what to see in it."""

    name: str
    title: str
    caption: str
    figure: Figure


_LOOKS = {
    "parse": ("#D55E00", "o"),
    "harmony": ("#0072B2", "s"),
    "dsgd-hybrid": ("#009E73", "^"),
    "dsgd-modality": ("#E69F00", "v"),
    "dsgd-task": ("#56B4E9", "D"),
    "gradient-surgery": ("#CC79A7", "P"),
    "sheaf-dmfl": ("#7A7A1F", "X"),
    "local": ("#8C8C8C", "<"),
    "oracle": (INK, "*"),
}
_OTHERS = [
    (color, marker)
    for marker in ("h", ">", "p", "d")
    for color in ("#882255", "#332288", "#117733", "#44AA99", "#AA4499")
]
PALETTE = tuple(color for color, _ in _LOOKS.values())
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")

house_style = rc_context(
    {
        "font.size": 10.0,
        "axes.titlesize": 11.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.facecolor": PAPER,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "axes.edgecolor": SOFT,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "lines.markersize": 5.5,
        "text.parse_math": False,  # names are no formulas, whatever they hold
    }
)
"""The decorator of every function that draws."""


def look(method: str) -> Look:
    """The look of a method; an unknown method's look follows from its name."""
    rule = method.partition("@")[2]
    if rule:
        inner = look(rule)
        return Look(color=inner.color, marker=inner.marker, is_control=True)
    color, marker = _LOOKS.get(method) or _OTHERS[crc32(method.encode()) % len(_OTHERS)]
    return Look(color=color, marker=marker)


def canvas(
    rows: int, columns: int, *, height: float, width: float = 9.0
) -> tuple[Figure, list[Axes]]:
    """A figure of ``rows`` × ``columns`` panels, sizes in inches, and the panels row by row."""
    figure = Figure(figsize=(width, height), facecolor=PAPER, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    return figure, list(panels.flat)


def legend_below(figure: Figure, panel: Axes, *, columns: int = 4) -> None:
    """One legend for all panels, under them, where it hides no data."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)))
