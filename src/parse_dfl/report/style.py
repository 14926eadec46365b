"""Style figures, and turn them into files and parts of the page.

A method has one colour, marker and line everywhere.  Colours are Okabe and Ito's, told apart with
any colour vision, plus grey and olive; the markers tell the methods apart without colour.
Paper, ink and the greys between are named here, because the page turns exactly these into their
counterparts on a dark screen.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from zlib import crc32

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter

from parse_dfl.io import cannot_write, write_atomically
from parse_dfl.records import Roles
from parse_dfl.text import as_given

PAPER, INK = "#fffffe", "#1d1f22"
SOFT, LINK, FAINT, GRID = "#5c6066", "#777778", "#c9cacc", "#e4e4e4"
ON_DARK, ON_LIGHT = "#fffffd", "#000001"
"""Text on a coloured cell: it follows the cell, not the page."""
WIN, LOSS = "#0072B2", "#D55E00"
PALETTE = (
    "#D55E00", "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#7A7A1F", "#8C8C8C", INK,
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
LOOKS = tuple(zip(PALETTE, ("o", "s", "^", "v", "D", "P", "X", "<", "*"), strict=True))
"""Colours and markers of methods, in their order."""
OTHERS = tuple(
    (color, marker)
    for marker in ("h", ">", "p", "d")
    for color in ("#882255", "#332288", "#117733", "#44AA99", "#AA4499")
)
"""Colours and markers of all other methods."""
DARK = {
    PAPER: "#1f2226",
    INK: "#e8e8e6",
    SOFT: "#a4a8ae",
    LINK: "#8b9097",
    FAINT: "#4b5057",
    GRID: "#343840",
    "#0072b2": "#3d9fdb",  # too dark on dark, each made lighter in its own hue
    "#332288": "#8f83e0",
    "#882255": "#d1699b",
    "#117733": "#4fae6d",
    "#7a7a1f": "#a3a33a",
}
"""Colour of the drawing → its counterpart on a dark screen."""
DOTS_PER_INCH = 160

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


@dataclass(frozen=True, kw_only=True)
class SavedPicture:
    """A picture whose files are written."""

    picture: Picture
    png: Path
    svg: bytes


def look(method: str, roles: Roles) -> Look:
    """Return the look of a method: by its position in the order, else by its name.

    ``METHOD@RULE`` has the colour and marker of its rule, hollow and dashed: the same sharing on
    another network.
    """
    rule = method.partition("@")[2]
    if rule:
        original = look(rule, roles)
        return Look(color=original.color, marker=original.marker, is_control=True)
    in_order = dict(zip(roles.order, LOOKS, strict=False))
    color, marker = in_order.get(method) or OTHERS[crc32(method.encode()) % len(OTHERS)]
    return Look(color=color, marker=marker)


def canvas(
    rows: int, columns: int, *, height: float, width: float = 9.0
) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``rows`` × ``columns`` panels, sizes in inches, and its panels in rows."""
    figure = Figure(figsize=(width, height), facecolor=PAPER, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    return figure, list(panels.flat)


def panel_grid(
    count: int, *, most_columns: int, row_height: float, extra: float, width: float = 9.0
) -> tuple[Figure, list[Axes], int]:
    """Return a figure with ``count`` visible panels, all of its panels, and its columns."""
    columns = min(most_columns, count)
    rows = -(-count // columns)
    figure, panels = canvas(rows, columns, height=row_height * rows + extra, width=width)
    for index, panel in enumerate(panels):
        panel.set_visible(index < count)
    return figure, panels, columns


def legend_below(figure: Figure, panel: Axes, *, columns: int = 4) -> None:
    """Draw one legend for all panels, under them, where it hides no data."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)))


def save_picture(picture: Picture, folder: Path) -> SavedPicture:
    """Write a picture as PNG and SVG into ``folder``; equal pictures give equal bytes.

    Raises:
        OutputError: the folder cannot be written to.
    """
    svg = _rendered(picture, "svg")
    png = folder / f"{picture.name}.png"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    write_atomically(folder / f"{picture.name}.svg", svg)
    write_atomically(png, _rendered(picture, "png"))
    return SavedPicture(picture=picture, png=png, svg=svg)


def _rendered(picture: Picture, kind: str) -> bytes:
    stream = io.BytesIO()
    with rc_context({"svg.hashsalt": picture.name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        _show_given_names(picture)
        metadata = {"Date": None} if kind == "svg" else None
        picture.figure.savefig(stream, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    return stream.getvalue()


def _show_given_names(picture: Picture) -> None:
    """Write modalities by their given names in every text of a drawing."""
    for axes in picture.figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FixedFormatter):
                formatter.seq = [as_given(text) for text in formatter.seq]
    for text in picture.figure.findobj(Text):
        if (shown := as_given(text.get_text())) != text.get_text():
            text.set_text(shown)


def inline_svg(svg: bytes, *, prefix: str, label: str) -> str:
    """Return the ``<svg>`` element of a file: its ids made its own, its size left to the page.

    ``label`` is what is read to those who do not see it.
    """
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}.', text)
    text = re.sub(r'href="#', f'href="#{prefix}.', text)
    text = re.sub(r"url\(#", f"url(#{prefix}.", text)
    width = re.search(r'<svg[^>]*?\swidth="([\d.]+)pt"', text)
    assert width, "matplotlib gives a width in points"
    size = f"max-width:{float(width[1]) * 4 / 3:.0f}px"
    head = f'<svg role="img" aria-label="{escape(as_given(label))}" style="{size}"'
    text = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", head, 1)


def dark_rules() -> str:
    """Return the page's rules that turn a drawing's colours on a dark screen.

    matplotlib writes every colour into a ``style`` attribute.  The rules name no ancestor: a
    marker that is drawn by ``<use>`` has none of the page's.
    """
    return "\n".join(
        f'[style*="{part}: {light.lower()}"] {{ {part}: {dark} !important; }}'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
