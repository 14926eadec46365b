"""Text for terminals and files that cannot show all of Unicode."""

from __future__ import annotations

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


def showable(text: str, encoding: str | None) -> str:
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
