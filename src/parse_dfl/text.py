"""Read and write text: names and their keys, numbers by one rule, encodings that lack a sign.

Python's ``int`` and ``float`` also take ``1_000``, digits of other scripts, ``nan`` and numbers of
any size, and ``str.isdigit`` says yes to ``²``; none of that should reach a computation.
"""

from __future__ import annotations

import math
import re
import unicodedata

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
    """Return whether ``encoding`` has all of ``text``; None, of a text in memory, has."""
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


SEPARATORS = "+=,"
"""What joins names in texts such as ``acc=5,acc+gyro=5``; no name may hold it."""

LONGEST_KEY = 100
"""Letters of a key: file names hold 255 bytes, and a set's key is several of these."""

_PLAIN = "[A-Za-z0-9_]"
_ESCAPE = re.compile(r"-u([1-9a-f][0-9a-f]{1,5})-")
_KEY = re.compile(rf"(?:{_PLAIN}|{_ESCAPE.pattern})+")


def name_key(name: str) -> str:
    """Return the key of a modality's name; spaces around it do not count, nor how accents are
    composed.

    A modality may be called anything that a person writes (``left wrist``, ``puls.ohr``,
    ``Füße``).  Inside, names are parts of branch keys, of file names and of sets joined by ``+``.
    So every letter other than A-Z, a-z, 0-9 and ``_`` is written as its number: ``left wrist`` has
    the key ``left-u20-wrist``.  Names of these letters alone are their own keys.  The mapping can
    be undone, and different names have different keys: ``-`` begins nothing but such a number.
    A key is its own key, so that what stands in a file may be given back.

    Raises:
        ValueError: the name is empty, or holds a separator or what cannot be shown; it says what.
    """
    plain = unicodedata.normalize("NFC", name.strip())
    if not plain:
        raise ValueError("a name must hold a letter at least")
    for separator in SEPARATORS:
        if separator in plain:
            raise ValueError(f"{separator!r} cannot be part of a name: it joins names; rename it")
    if not plain.isprintable():
        raise ValueError("a name holds letters that can be shown only; rename it")
    key = plain if _is_key(plain) else "".join(map(_escaped, plain))
    if len(key) > LONGEST_KEY:
        raise ValueError(
            f"its key has {len(key)} letters, at most {LONGEST_KEY} can be used (other letters "
            "than A-Z, a-z, 0-9 and _ take 5 to 9 each); give a shorter name"
        )
    return key


def as_given(text: str) -> str:
    """Return ``text`` with every key of a name in it as a person wrote the name."""
    return _ESCAPE.sub(_letter, text)


def _escaped(letter: str) -> str:
    return letter if re.match(_PLAIN, letter) else f"-u{ord(letter):x}-"


def _is_key(text: str) -> bool:
    """Return whether ``text`` is what :func:`name_key` writes for some name."""
    numbers = [int(escape[1], 16) for escape in _ESCAPE.finditer(text)]
    return bool(_KEY.fullmatch(text)) and all(_can_be_escaped(number) for number in numbers)


def _can_be_escaped(number: int) -> bool:
    if number > 0x10FFFF:
        return False
    letter = chr(number)
    return letter.isprintable() and letter not in SEPARATORS and not re.match(_PLAIN, letter)


def _letter(escape: re.Match[str]) -> str:
    number = int(escape[1], 16)
    return chr(number) if _can_be_escaped(number) else escape[0]
