"""Numbers read from text by one rule, and text for outputs that lack its signs.

Python's ``int`` and ``float`` also take ``1_000``, digits of other scripts, ``nan`` and numbers of
any size, and ``str.isdigit`` says yes to ``²``; none of that should reach a computation.
"""

from __future__ import annotations

import math
import re

LARGEST = 2**63 - 1
"""The largest whole number that arrays and seeds hold."""
LARGEST_REAL = 1e30
"""Beyond it float32 soon overflows; no setting means anything there."""

_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def whole(text: str) -> int | None:
    """Return the whole number that ``text`` is, or None; space around it is allowed.

    Anything beyond ±2⁶³ is None as well, however many digits it has.
    """
    text = text.strip(" \t\n")
    if not _WHOLE.fullmatch(text):
        return None
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > len(str(LARGEST)):  # int() itself refuses thousands of digits
        return None
    number = int(text)
    return number if abs(number) <= LARGEST else None


def real(text: str) -> float | None:
    """Return the finite number that ``text`` is, or None; space around it is allowed."""
    text = text.strip(" \t\n")
    if not _REAL.fullmatch(text):
        return None
    number = float(text) + 0.0  # -0.0 becomes 0.0
    return number if math.isfinite(number) else None


ASCII = str.maketrans(
    {
        "±": "+-",
        "−": "-",
        "–": "-",
        "—": "-",
        "×": "x",
        "·": ".",
        "…": "...",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
        "θ": "theta",
        "β": "beta",
        "α": "alpha",
        "τ": "tau",
        "₁": "1",
        "₂": "2",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "─": "-",
        "━": "-",
        "│": "|",
        "\u00a0": " ",
    }
)


def can_show(text: str, encoding: str | None) -> bool:
    """Whether ``encoding`` has every character of ``text``; None, of a text in memory, has all."""
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def showable(text: str, encoding: str | None = None) -> str:
    """Return ``text`` with what ``encoding`` lacks in ASCII: a likeness, else ``\\xNN``.

    A file name that is no UTF-8, which Python holds as lone surrogates, becomes escapes too.
    """
    if can_show(text, encoding):
        return text
    pieces = []
    for character in text:
        if not can_show(character, encoding):
            likeness = character.translate(ASCII)
            character = likeness.encode("ascii", "backslashreplace").decode("ascii")
        pieces.append(character)
    return "".join(pieces)
