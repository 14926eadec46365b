"""Checked reading of JSON: every complaint names the file and the field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parse_dfl.errors import RecordError


class Fields:
    """A JSON object whose values are asked for by name and kind.

    Every reader raises :class:`~parse_dfl.errors.RecordError` if the field is missing or of
    another kind.
    """

    def __init__(self, values: dict[str, Any], source: str, prefix: str = "") -> None:
        self.values = values
        self._source = source
        self._prefix = prefix

    def text(self, name: str) -> str:
        """A string."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._refusal(name, "a text")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._get(name)
        if not _is_finite(value):
            raise self._refusal(name, "a finite number")
        return float(value)

    def maybe(self, name: str) -> float | None:
        """A finite number, or None where null stands in its place."""
        return None if self._get(name) is None else self.number(name)

    def shares(self, name: str) -> dict[str, float]:
        """An object of finite numbers."""
        inside = self.child(name)
        return {key: inside.number(key) for key in inside.values}

    def integer(self, name: str) -> int:
        """A whole number."""
        value = self.number(name)
        if not value.is_integer():
            raise self._refusal(name, "a whole number")
        return int(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of at least one finite number."""
        value = self._get(name)
        if not isinstance(value, list) or not value or not all(map(_is_finite, value)):
            raise self._refusal(name, "a list of finite numbers")
        return tuple(map(float, value))

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of at least one whole number."""
        values = self.numbers(name)
        if not all(value.is_integer() for value in values):
            raise self._refusal(name, "a list of whole numbers")
        return tuple(map(int, values))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._refusal(name, "a list of texts")
        return tuple(value)

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """A list of pairs of strings."""
        value = self._get(name)
        if not isinstance(value, list) or not all(map(_is_pair, value)):
            raise self._refusal(name, "a list of pairs of texts")
        return tuple((first, second) for first, second in value)

    def mean(self, name: str) -> float:
        """A number, or the ``mean`` of an object such as ``{"mean": 1, "max": 2}``."""
        is_object = isinstance(self.values.get(name), dict)
        return self.child(name).number("mean") if is_object else self.number(name)

    def child(self, name: str) -> Fields:
        """An object."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._refusal(name, "an object")
        return Fields(value, self._source, f"{self._prefix}{name}.")

    def optional_child(self, name: str) -> Fields | None:
        """An object, or None where null stands in its place."""
        return None if self._get(name) is None else self.child(name)

    def children(self, name: str) -> Iterator[tuple[str, Fields]]:
        """The named objects inside an object."""
        return self.child(name).entries()

    def entries(self) -> Iterator[tuple[str, Fields]]:
        """This object's own entries, each an object."""
        return ((key, self.child(key)) for key in self.values)

    def items(self, name: str) -> list[Fields]:
        """A list of objects; empty where the field is missing."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._refusal(name, "a list of objects")
        return [
            Fields(item, self._source, f"{self._prefix}{name}[{index}].")
            for index, item in enumerate(value)
        ]

    def _get(self, name: str) -> Any:
        if name not in self.values:
            raise RecordError(
                f"{self._source} lacks '{self._prefix}{name}'; "
                "it was cut short or written by another version: run it again"
            )
        return self.values[name]

    def _refusal(self, name: str, wanted: str) -> RecordError:
        return RecordError(
            f"{self._source}: '{self._prefix}{name}' is {self.values[name]!r:.60}, not {wanted}"
        )


def read_object(path: Path) -> Fields:
    """The JSON object in a file.

    Raises:
        RecordError: the file cannot be read, or is no JSON object.
    """
    return parse_object(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a file, or a :class:`~parse_dfl.errors.RecordError`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"cannot read {path}: {error}") from error


def parse_object(text: str, source: str) -> Fields:
    """The JSON object in ``text``; ``source`` names it in complaints."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecordError(f"{source} is no valid JSON ({error}); run it again") from error
    if not isinstance(value, dict):
        raise RecordError(f"{source} holds {type(value).__name__}, not a JSON object; run it again")
    return Fields(value, source)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(isinstance(end, str) for end in value)
    )
