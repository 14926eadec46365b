"""Tell the kind of a modality from the shape of one sample, or take it as declared.

A shape is read without a word only where it hardly means anything else.  A reading that is likely
comes with a note that names the other one; one that is not likely enough is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

from numpy.typing import NDArray

from parse_dfl.agents import Kind, modality_key
from parse_dfl.errors import ConfigError, DataError, nearest
from parse_dfl.layouts import LAYOUTS, Layout

T = TypeVar("T")

LONGEST_CHANNEL_AXIS = 16
"""A 2-d sample whose second axis is at most this is a series (time, channels), else an image."""

MOST_COLOURS = 4
"""Channels that a picture may have: grey, grey and alpha, RGB, RGB and alpha."""

LONG_VECTOR = 1000
"""Of so many features a vector may as well be a recording."""

LONG_STRIP = 8
"""A picture is hardly so many times longer than wide."""

AMBIGUOUS = ""
"""The axes of a shape that does not tell its kind."""

_AXES = {Kind.IMAGE: (2, 3), Kind.VIDEO: (3, 4)}


@dataclass(frozen=True)
class Reading:
    """The interpretation of a shape: a kind, its axes by letters, and ``instead``, what else it may
    well be (empty: nothing else)."""

    kind: Kind
    letters: str
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Arranged:
    """A modality laid out: its numbers, its kind, how they came, and what to say about a guess."""

    values: NDArray[Any]
    kind: Kind
    layout: Layout
    note: str = ""


def arrange(name: str, values: NDArray[Any], declared: str | None = None) -> Arranged:
    """Lay ``values`` (samples, ...) out as the ``declared`` kind, or as their shape says.

    ``declared`` is a kind, or a kind and a layout, such as ``image:chw``.  Any sample can be read
    as a vector (flattened) or as a series (its first axis is time, the others are flattened into
    channels); an image or a video must have the axes of one.

    Raises:
        DataError: the kind or layout is unknown, the samples have too few or too many axes for
            it, or their shape does not tell what they are.
    """
    shape = tuple(values.shape[1:])
    if declared is None:
        return _guessed(name, values, shape)
    kind, letters = _declared(name, declared)
    note = ""
    if not letters and kind is Kind.VECTOR:
        layout = Layout.as_it_is(shape, (prod(shape),))
    elif not letters and kind is Kind.SERIES and not _is_one_channel(shape):
        layout = Layout.as_it_is(shape, (shape[0], prod(shape[1:])))
        if len(shape) == 2 and shape[0] <= LONGEST_CHANNEL_AXIS < shape[1]:
            other = _declarations(name, ("series:ct",))
            steps = f"{shape[0]} steps of {shape[1]} channels"
            note = f"modality {name!r} is read as {steps}; if it is not: {other}"
    else:
        letters = letters or _letters_of(name, kind, shape)
        if len(letters) != len(shape):
            raise DataError(
                f"modality {name!r} has samples of shape {shape}, which are not laid out as "
                f"{kind.value}:{letters}"
            )
        layout = Layout.by_letters(shape, letters)
    return Arranged(values=layout.apply(values), kind=kind, layout=layout, note=note)


def kind_of_shape(name: str, shape: tuple[int, ...]) -> Reading:
    """Return the kind of samples of ``shape`` (the sample axis not included).

    Raises:
        DataError: no kind has samples of that many axes, or the shape may mean several kinds.
    """
    readers = {1: _of_one_axis, 2: _of_two_axes, 3: _of_three_axes, 4: _of_four_axes}
    if len(shape) not in readers:
        raise DataError(f"modality {name!r} has samples of shape {shape}; 1 to 4 axes can be used")
    reading = readers[len(shape)](shape)
    if reading.letters == AMBIGUOUS and reading.instead:
        raise DataError(
            f"the shape of modality {name!r}, {_shown(shape)} a sample, does not tell what it is; "
            f"declare it: {_declarations(name, reading.instead)}"
        )
    return reading


def kinds_by_key(kinds: Mapping[str, str]) -> dict[str, str]:
    """Return the declared kinds by the keys of the modalities' names.

    Raises:
        DataError: a name that can be none, or two of one key.
    """
    return by_key(kinds.items(), "kind")


def by_key(entries: Iterable[tuple[str, T]], what: str) -> dict[str, T]:
    """Return the entries by the keys of their modalities' names.

    Raises:
        DataError: a name that can be none, or two of one key.
    """
    values: dict[str, T] = {}
    names: dict[str, str] = {}
    for name, value in entries:
        try:
            key = modality_key(str(name))
        except ConfigError as error:
            raise DataError(str(error)) from error
        if key in values:
            both = "" if names[key] == name else f" ({names[key]!r} and {str(name)!r})"
            raise DataError(f"{what} {key!r} is there twice{both}; give each a name of its own")
        values[key], names[key] = value, str(name)
    return values


def _guessed(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> Arranged:
    reading = kind_of_shape(name, shape)
    if reading.kind is Kind.VECTOR:
        layout = Layout.as_it_is(shape, (prod(shape),))
    else:
        layout = Layout.by_letters(shape, reading.letters)
    note = ""
    if reading.instead:
        taken = f"{reading.kind.value}{f' ({reading.letters})' if reading.letters else ''}"
        note = (
            f"modality {name!r}, {_shown(shape)} a sample, is read as {taken}; if it is not: "
            f"{_declarations(name, reading.instead)}"
        )
    return Arranged(values=layout.apply(values), kind=reading.kind, layout=layout, note=note)


def _of_one_axis(shape: tuple[int, ...]) -> Reading:
    return Reading(Kind.VECTOR, "v", ("series",) if shape[0] >= LONG_VECTOR else ())


def _of_two_axes(shape: tuple[int, ...]) -> Reading:
    first, second = shape
    if first == 1:
        if second > LONGEST_CHANNEL_AXIS:
            return Reading(Kind.SERIES, "ct", ("vector", "series:tc"))
        return Reading(Kind.VECTOR, "v", ("series:ct", "series:tc"))
    if second <= LONGEST_CHANNEL_AXIS:
        if first > second or first > LONGEST_CHANNEL_AXIS:
            return Reading(Kind.SERIES, "tc")
        return _ask("series:tc", "series:ct", "image")
    if first <= LONGEST_CHANNEL_AXIS:
        return _ask("series:ct", "series:tc", "image")
    if max(shape) >= LONG_STRIP * min(shape):
        return _ask("series:tc", "series:ct", "image")
    other = "series:tc" if first > second else "series:ct"
    return Reading(Kind.IMAGE, "hw", () if first == second else (other,))


def _of_three_axes(shape: tuple[int, ...]) -> Reading:
    first, second, last = shape
    if letters := _colour_axis(shape):
        if letters == "hwc":
            return Reading(Kind.IMAGE, "hwc", () if first == second else ("series", "video:thw"))
        if first in (1, 3):
            return Reading(Kind.IMAGE, "chw", () if first == 1 else ("video:thw",))
        return _ask("image:chw", "video:thw")
    if min(shape) <= MOST_COLOURS:
        return _ask("image:hwc", "image:chw", "video:thw", "series")
    if last <= LONGEST_CHANNEL_AXIS and first == second != last:
        return _ask("image:hwc", "video:thw")
    return Reading(
        Kind.VIDEO, "thw", () if second == last else ("image:hwc", "image:chw", "series")
    )


def _of_four_axes(shape: tuple[int, ...]) -> Reading:
    first, second, third, last = shape
    if last <= MOST_COLOURS:
        if min(second, third) > MOST_COLOURS:
            return Reading(Kind.VIDEO, "thwc")
    elif second <= MOST_COLOURS < first and third > MOST_COLOURS:
        return Reading(Kind.VIDEO, "tchw", ("video:thwc",))
    elif first in (1, 3) and min(second, third) > MOST_COLOURS:
        return Reading(Kind.VIDEO, "cthw", ("video:thwc",))
    return _ask("video:thwc", "video:tchw", "video:cthw")


def _colour_axis(shape: tuple[int, ...]) -> str:
    """Return ``hwc`` or ``chw`` where three axes are a picture's, with its colours at one end."""
    first, second, last = shape
    ends = first <= MOST_COLOURS, last <= MOST_COLOURS
    if ends == (True, True):
        return "hwc" if first == second and last in (1, 3) else ""
    if second <= MOST_COLOURS or ends == (False, False):
        return ""
    return "hwc" if ends[1] else "chw"


def _letters_of(name: str, kind: Kind, shape: tuple[int, ...]) -> str:
    """Return the axes of samples of a kind that is declared without its layout."""
    if kind is Kind.SERIES:
        return "ct"
    if len(shape) not in _AXES[kind]:
        low, high = _AXES[kind]
        raise DataError(
            f"modality {name!r} has samples of shape {shape}, which cannot be of kind "
            f"{kind.value!r}: that needs {low} or {high} axes"
        )
    if len(shape) == _AXES[kind][0]:
        return "hw" if kind is Kind.IMAGE else "thw"
    if kind is Kind.IMAGE:
        if max(shape[0], shape[2]) > MOST_COLOURS or shape[0] == shape[1]:
            return _colour_axis(shape) or "hwc"
        raise _layout_asked(name, kind, shape)
    reading = _of_four_axes(shape)
    if reading.letters == AMBIGUOUS and min(shape) <= MOST_COLOURS:
        raise _layout_asked(name, kind, shape)
    return reading.letters or "thwc"


def _layout_asked(name: str, kind: Kind, shape: tuple[int, ...]) -> DataError:
    layouts = [letters for letters in LAYOUTS[kind] if len(letters) == len(shape)]
    fitting = tuple(f"{kind.value}:{letters}" for letters in layouts)
    return DataError(
        f"the shape of modality {name!r}, {_shown(shape)} a sample, does not tell which axis holds "
        f"the channels; declare it: {_declarations(name, fitting)}"
    )


def _is_one_channel(shape: tuple[int, ...]) -> bool:
    """Return whether a series came as one row of many steps, as waveforms do."""
    return len(shape) == 2 and shape[0] == 1 and shape[1] > LONGEST_CHANNEL_AXIS


def _ask(*candidates: str) -> Reading:
    return Reading(Kind.VECTOR, AMBIGUOUS, candidates)


def _declared(modality: str, text: str) -> tuple[Kind, str]:
    kind, colon, letters = text.partition(":")
    kinds = [str(kind) for kind in Kind]
    if kind not in kinds:
        raise DataError(f"unknown kind {kind!r} of modality {modality!r}{nearest(kind, kinds)}")
    layouts = LAYOUTS[Kind(kind)]
    if colon and letters not in layouts:
        hint = nearest(letters, layouts) if layouts else f"; {kind} has none"
        raise DataError(f"unknown layout {letters!r} of kind {kind!r} of {modality!r}{hint}")
    return Kind(kind), letters


def _declarations(name: str, kinds: tuple[str, ...]) -> str:
    return " or ".join(f"--kind {_quoted(f'{name}={kind}')}" for kind in kinds)


def _quoted(text: str) -> str:
    return f'"{text}"' if "-u20-" in text or " " in text else text


def _shown(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
