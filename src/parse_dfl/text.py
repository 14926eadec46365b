"""Text: numbers read by one rule, objects with a text form, and outputs that lack its signs.

Python's ``int`` and ``float`` also take ``1_000``, digits of other scripts, ``nan`` and numbers of
any size, and ``str.isdigit`` says yes to ``²``; none of that should reach a computation.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from parse_dfl.errors import ConfigError

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


def number_text(value: float) -> str:
    """Return the shortest text that reads back as ``value``: ``1``, ``0.3``."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


class TextForm(ABC):
    """A value with a text form: ``str()`` writes it, :meth:`from_string` reads it."""

    example: ClassVar[str] = ""
    """An expression that makes one, for messages."""

    @classmethod
    @abstractmethod
    def from_string(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            ConfigError: the text cannot be read; the message shows one that can.
        """

    @abstractmethod
    def __str__(self) -> str: ...

    @classmethod
    def from_object(cls, value: object) -> Self | None:  # noqa: ARG003
        """Return what another object stands for, such as a mapping; None: nothing."""
        return None

    @classmethod
    def of(cls, value: object, name: str = "") -> Self:
        """Return ``value`` itself, or what its text stands for; ``name`` is the setting's.

        Raises:
            ConfigError: it is neither such an object nor its text.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.from_string(value)
        made = cls.from_object(value)
        if made is None:
            raise ConfigError(
                f"{name or cls.__name__} must be an object such as {cls.example} or its text, "
                f"not {value!r}"
            )
        return made


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
