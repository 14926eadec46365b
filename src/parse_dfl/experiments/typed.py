"""Settings to plain JSON values and back, guided by the types written in their dataclasses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from parse_dfl.errors import ConfigError, nearest

Hint = Any
"""A type annotation; typing has no name for all of them."""


@cache
def hints(settings: type) -> dict[str, Hint]:
    """Field name → type annotation of a dataclass."""
    return get_type_hints(settings)


def to_plain(value: Any) -> Any:
    """``value`` as dicts, lists, text, numbers, booleans and None."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: to_plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(entry) for entry in value]
    return value


def from_plain(hint: Hint, value: Any, name: str = "") -> Any:
    """The value of type ``hint`` that :func:`to_plain` made ``value`` from.

    ``name`` is where it stands, such as ``training.lr``, for messages.

    Raises:
        ConfigError: a setting is unknown or has the wrong type.
    """
    if is_dataclass(hint):
        return _settings(hint, value, name)
    origin: Any = get_origin(hint)
    arguments = get_args(hint)
    if origin is UnionType:
        return _first_that_fits(hint, value, name)
    if origin is tuple and isinstance(value, list | tuple):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(from_plain(arguments[0], entry, name) for entry in value)
        if len(arguments) == len(value):
            pairs = zip(arguments, value, strict=True)
            return tuple(from_plain(each, entry, name) for each, entry in pairs)
    elif origin is Mapping and isinstance(value, Mapping):
        return {
            key: from_plain(arguments[1], entry, f"{name}.{key}") for key, entry in value.items()
        }
    elif hint is float:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    elif type(value) is hint:
        return value
    raise ConfigError(f"{name} must be {_words(hint)}, not {value!r}")


def _settings(settings: Hint, value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{name or 'the configuration'} must be {_words(settings)}, not {value!r}"
        )
    known = hints(settings)
    for key in value:
        if key not in known:
            where = f" in [{name}]" if name else ""
            raise ConfigError(f"unknown setting {key!r}{where}{nearest(str(key), known)}")
    prefix = f"{name}." if name else ""
    return settings(**{key: from_plain(known[key], value[key], prefix + key) for key in value})


def _first_that_fits(hint: Hint, value: Any, name: str) -> Any:
    for each in get_args(hint):
        try:
            return from_plain(each, value, name)
        except ConfigError:
            continue
    raise ConfigError(f"{name} must be {_words(hint)}, not {value!r}")


def _words(hint: Hint) -> str:
    """What a person calls a type."""
    origin: Any = get_origin(hint)
    if origin is UnionType:
        return " or ".join(_words(each) for each in get_args(hint) if each is not NoneType)
    if origin is tuple:
        each, *others = get_args(hint)
        many = "a list" if others == [Ellipsis] else f"a list of {len(others) + 1}"
        return f"{many}, each {_words(each)}"
    names = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
    return names.get(hint, "a table of names and values")
