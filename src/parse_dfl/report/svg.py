"""A drawing as a part of the page: one set of shapes that follows the page's light and dark.

matplotlib writes every colour into a ``style`` attribute, so a rule of the page can name a colour
of light paper and give its counterpart for a dark screen.  Print stays light.
"""

from __future__ import annotations

import re
from html import escape

from parse_dfl.report.style import FAINT, GRID, INK, LINK, PAPER, SOFT
from parse_dfl.text import as_given

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


def inline_svg(svg: bytes, *, prefix: str, label: str) -> str:
    """The ``<svg>`` element of a file: its ids made its own, its size left to the page.

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
    """The page's rules that turn a drawing's colours on a dark screen.

    They name no ancestor: a marker that is drawn by ``<use>`` has none of the page's.
    """
    return "\n".join(
        f'[style*="{part}: {light.lower()}"] {{ {part}: {dark} !important; }}'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
