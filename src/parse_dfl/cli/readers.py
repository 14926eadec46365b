"""How the text of an option becomes a value of its setting's type."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import UnionType
from typing import Any, get_args, get_origin

from parse_dfl.numerals import LARGEST, real, whole


def is_repeatable(hint: Any) -> bool:
    """Whether the option may stand several times: a table or a list of any length."""
    origin: Any = get_origin(hint)
    return origin is Mapping or get_args(hint)[1:] == (Ellipsis,)


def reader(hint: Any) -> Callable[[str], Any]:
    """How the text of an option becomes a value of the type ``hint``."""
    origin: Any = get_origin(hint)
    if origin is UnionType:
        first, *others = get_args(hint)
        return _numbers_or_a_word if str in others else reader(first)
    if origin is Mapping:
        return _pair_of_text if get_args(hint)[1] is str else _pair
    if origin is tuple and not is_repeatable(hint):
        return _numbers
    readers: dict[Any, Callable[[str], Any]] = {int: whole_number, float: _number}
    return readers.get(hint, str)


def whole_number(text: str) -> int:
    """A whole number, for argparse."""
    number = whole(text)
    if number is None:
        huge = re.fullmatch(r"[+-]?[0-9]+", text.strip())
        told = f"is beyond ±{LARGEST}" if huge else "is no whole number"
        raise argparse.ArgumentTypeError(f"{_cut(text)} {told}")
    return number


def _number(text: str) -> float:
    number = real(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{_cut(text)} is no number")
    return number


def _cut(text: str) -> str:
    """Quote a text for a message, without the middle of one of hundreds of digits."""
    return repr(text if len(text) <= 60 else f"{text[:40]}…{text[-10:]}")


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split(",")]


def _numbers_or_a_word(text: str) -> list[float] | str:
    return text if text.isalpha() else _numbers(text)


def _pair_of_text(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _pair(text: str) -> tuple[str, float | str | bool]:
    name, value = _pair_of_text(text)
    if value in ("true", "false"):
        return name, value == "true"
    number = real(value)
    return name, value if number is None else number


def positive(text: str, most: int = LARGEST) -> int:
    """A whole number of at least one, for argparse."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 or more")
    if number > most:
        raise argparse.ArgumentTypeError(f"{number} is too many; give at most {most}")
    return number


def at_most(most: int) -> Callable[[str], int]:
    """Read a whole number from 1 to ``most``, for argparse."""
    return partial(positive, most=most)


def seed(text: str) -> int:
    """Read a whole number of at least zero, for argparse."""
    number = whole_number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is no seed; give 0 or more")
    return number


def accuracies(text: str) -> list[float]:
    """Numbers above 0 and at most 1, joined by commas, for argparse."""
    values = _numbers(text)
    for value in values:
        if not 0 < value <= 1:
            raise argparse.ArgumentTypeError(f"{value:g} is no accuracy; give 0.8 for 80 %")
    return values


def count_or_all(text: str) -> int | None:
    """A whole number of at least one, or None for ``all``, for argparse."""
    return None if text == "all" else positive(text)
