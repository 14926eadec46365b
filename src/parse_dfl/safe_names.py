"""Modality names inside and outside: the one place that maps a name to its key and back.

A modality may be called anything that a person writes (``left wrist``, ``puls.ohr``, ``Füße``).
Inside, names are parts of branch keys, of the network's keys, of file names and of sets joined
by ``+``.  So every letter other than A-Z, a-z, 0-9 and ``_`` is written as its number:
``left wrist`` has the key ``left-u20-wrist``.  Names of these letters alone are their own keys.

The mapping can be undone, and different names have different keys: ``-`` begins nothing but
such a number.  A key is its own key, so that what stands in a file may be given back.
"""

from __future__ import annotations

import re
import unicodedata

SEPARATORS = "+=,"
"""What joins names in texts such as ``acc=5,acc+gyro=5``; no name may hold it."""

LONGEST_KEY = 100
"""Letters of a key: file names hold 255 bytes, and a set's key is several of these."""

_PLAIN = "[A-Za-z0-9_]"
_ESCAPE = re.compile(r"-u([1-9a-f][0-9a-f]{1,5})-")
_KEY = re.compile(rf"(?:{_PLAIN}|{_ESCAPE.pattern})+")


def name_key(name: str) -> str:
    """The key of a modality's name; spaces around it do not count, nor how accents are composed.

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
    key = plain if _is_key(plain) else "".join(map(_written, plain))
    if len(key) > LONGEST_KEY:
        raise ValueError(
            f"its key has {len(key)} letters, at most {LONGEST_KEY} can be used (other letters "
            "than A-Z, a-z, 0-9 and _ take 5 to 9 each); give a shorter name"
        )
    return key


def as_given(text: str) -> str:
    """``text`` with every key of a name in it as a person wrote the name."""
    return _ESCAPE.sub(_letter, text)


def _written(letter: str) -> str:
    return letter if re.match(_PLAIN, letter) else f"-u{ord(letter):x}-"


def _is_key(text: str) -> bool:
    """Whether ``text`` is what :func:`name_key` writes for some name."""
    numbers = [int(found[1], 16) for found in _ESCAPE.finditer(text)]
    return bool(_KEY.fullmatch(text)) and all(_is_escaped(number) for number in numbers)


def _is_escaped(number: int) -> bool:
    if number > 0x10FFFF:
        return False
    letter = chr(number)
    return letter.isprintable() and letter not in SEPARATORS and not re.match(_PLAIN, letter)


def _letter(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if _is_escaped(number) else found[0]
