"""Declare settings: type, default, range, choices, flag and help, in one place.

A class of settings is derived from :class:`Settings`, which makes it a frozen dataclass, its fields
made by :func:`setting`::

    class Training(Settings):
        rounds: int = setting(100, "--rounds T", "rounds of training", at_least=1)

Every value is read and checked when an object is built, whether it comes from the command line, a
file or a program; nothing is checked anywhere else.  A value with a text form of its own, such as
a topology, is a :class:`~parse_dfl.text_form.TextForm`: it may be given as an object or as text.

Types are those of the annotations: ``int``, ``float``, ``str``, ``bool``, a :class:`TextForm`, a
class of settings, ``X | None``, ``tuple[X, ...]``, ``tuple[X, X, X]`` and ``Mapping[str, X]``.  No
library decodes them: the command line's help needs this module, and has no time to load one.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import (
    MISSING,
    Field,
    FrozenInstanceError,
    dataclass,
    field,
    fields,
    is_dataclass,
    replace,
)
from functools import cache
from inspect import Parameter
from types import NoneType, UnionType
from typing import Any, ClassVar, dataclass_transform, get_args, get_origin, get_type_hints

from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.text_form import TextForm

Hint = Any
"""A type annotation; typing has no name for all of them."""

SHOWN_LIMIT = 1e6
"""A bound beyond it is named only where a value lies beyond it."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What :func:`setting` says of a field beside its type and default.

    ``noun`` is what messages call a value that is none of the ``choices``; ``check`` refuses what
    a range cannot.  ``shared`` settings must be the same at every site of a federation, and a
    run that goes on ``may_change`` those that no number depends on.
    """

    flag: str = ""
    metavar: str = ""
    help: str = ""
    group: str = ""
    noun: str = ""
    choices: tuple[str, ...] = ()
    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    check: Callable[[Any], object] | None = None
    shared: bool = False
    may_change: bool = False

    def check_value(self, name: str, value: Any) -> None:
        """Refuse a value out of the range or none of the choices; None is not checked.

        Raises:
            ConfigError: it is; the message names what may be.
        """
        if value is None:
            return
        entries = value if isinstance(value, tuple) else (value,)
        for entry in entries if self.choices else ():
            if entry not in self.choices:
                raise unknown(self.noun or name.replace("_", " "), entry, self.choices)
        if isinstance(value, int | float) and not self._in_range(value):
            raise ConfigError(f"{name} must be {self._range(value)}, not {_number(value)}")
        if self.check is not None:
            self.check(value)

    def _in_range(self, value: float) -> bool:
        return self.at_least <= value <= self.at_most and self.above < value < self.below

    def _range(self, value: float) -> str:
        limits = (
            ("at least", self.at_least, value < self.at_least),
            ("above", self.above, value <= self.above),
            ("at most", self.at_most, value > self.at_most),
            ("below", self.below, value >= self.below),
        )
        return " and ".join(
            f"{words} {_number(limit)}"
            for words, limit, is_crossed in limits
            if math.isfinite(limit) and (is_crossed or abs(limit) <= SHOWN_LIMIT)
        )


def setting(default: Any, option: str = "", text: str = "", **declared: Any) -> Any:
    """Declare a field of a class of settings.

    Args:
        default: the value; a class of settings, or a mapping, is made anew for each object.
        option: flag and metavar, ``--rounds T``; none is not set by the command line.
        text: what it is, for the command line's help.
        **declared: as in :class:`Declaration`.
    """
    flag, _, metavar = option.partition(" ")
    metadata = {"declaration": Declaration(flag=flag, metavar=metavar, help=text, **declared)}
    if isinstance(default, type | Mapping):
        factory = default if isinstance(default, type) else default.copy  # type: ignore[attr-defined]
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


class _Signature:
    """The signature of a class of settings, for ``help`` and editors, made when it is asked for."""

    def __get__(self, _: object, kind: type) -> inspect.Signature:
        named: Any = kind
        parameters = [
            inspect.Parameter(
                entry.name,
                Parameter.KEYWORD_ONLY if entry.kw_only else Parameter.POSITIONAL_OR_KEYWORD,
                default=_default(entry),
                annotation=entry.type,
            )
            for entry in fields(named)
        ]
        return inspect.Signature(sorted(parameters, key=lambda parameter: parameter.kind))


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Settings:
    """The base of all classes of settings: reads and checks every value when it is built.

    A subclass is a frozen dataclass whose methods stand here once: those that ``dataclasses``
    would write for each class take longer than all else that the command line's help needs.
    """

    group: ClassVar[str] = ""
    """The heading of its options, unless a setting has its own."""
    keyword: ClassVar[str] = ""
    """What the settings are of, for messages, where their names alone do not tell."""
    __signature__ = _Signature()

    def __init_subclass__(cls, *, kw_only: bool = True, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)

    def __init__(self, *args: Any, **values: Any) -> None:
        """Set every field to what the value given reads as, else to its default.

        Raises:
            ConfigError: there is no such setting (the nearest are offered), or a value has the
                wrong type or is out of its range.
        """
        kind: Any = type(self)
        declarations = _declarations(kind)
        values = _by_name(kind, args) | values
        of_keyword = f" of {self.keyword}" if self.keyword else ""
        for name in values:
            if name not in declarations:
                what = self.keyword or kind.__name__
                raise ConfigError(f"{what} has no setting {name!r}{nearest(name, declarations)}")
        for name, (hint, declaration, entry) in declarations.items():
            if name in values:
                value = read(hint, values[name], f"{name}{of_keyword}")
                declaration.check_value(f"{name}{of_keyword}", value)
            else:
                value = _default(entry)
            object.__setattr__(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check values that depend on each other."""

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to {name!r}; use dataclasses.replace")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        kind: Any = type(self)
        values = {entry.name: entry for entry in fields(kind)}
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name, entry in values.items()
            if getattr(self, name) != _default(entry)
        ]
        return f"{kind.__name__}({', '.join(shown)})"


def _default(entry: Field[Any]) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _by_name(kind: Any, args: Sequence[Any]) -> dict[str, Any]:
    """Return positional arguments by the names of their fields."""
    names = [entry.name for entry in fields(kind) if not entry.kw_only]
    if len(args) > len(names):
        raise TypeError(f"{kind.__name__}() takes {len(names)} positional arguments")
    return dict(zip(names, args, strict=False))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a configuration: its path (``training.lr``), type and declaration."""

    path: str
    hint: Hint
    default: Any
    declaration: Declaration

    @property
    def name(self) -> str:
        """The name without its section."""
        return self.path.rpartition(".")[2]


def settings_of(kind: type) -> dict[str, Setting]:
    """Return the settings of a class by path, those of its sections included."""
    settings: dict[str, Setting] = {}
    for name, (hint, declaration, entry) in _declarations(kind).items():
        if _is_settings(hint):
            for path, inner in settings_of(hint).items():
                settings[f"{name}.{path}"] = replace(inner, path=f"{name}.{path}")
        else:
            default = _default(entry)
            settings[name] = Setting(path=name, hint=hint, default=default, declaration=declaration)
    return settings


@cache
def _declarations(kind: Any) -> dict[str, tuple[Hint, Declaration, Field[Any]]]:
    """Return type annotation, declaration and field of each setting of a class."""
    hints = get_type_hints(kind)
    declarations = {}
    for entry in fields(kind):
        declaration: Declaration = entry.metadata["declaration"]
        if not declaration.group:
            declaration = replace(declaration, group=kind.group)
        declarations[entry.name] = hints[entry.name], declaration, entry
    return declarations


def read(hint: Hint, value: Any, name: str) -> Any:
    """Return ``value`` as one of the type ``hint``; ``name`` is the setting's, for messages.

    Numbers of numpy and tensors of one number are taken as Python's own, and a single value in
    place of a list of any length.

    Raises:
        ConfigError: it has another type.
    """
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    origin: Any = get_origin(hint)
    if _is_settings(hint):
        return value if isinstance(value, hint) else _section(hint, value, name)
    if isinstance(hint, type) and issubclass(hint, TextForm):
        return hint.of(value, name)
    if origin is UnionType:
        return _first_that_fits(hint, value, name)
    if origin is tuple and (entries := _entries(hint, value)) is not None:
        return tuple(read(inner, entry, name) for inner, entry in entries)
    if origin is Mapping and isinstance(value, Mapping):
        inner = get_args(hint)[1]
        return {key: read(inner, entry, f"{name}.{key}") for key, entry in value.items()}
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint is int and type(value) is float and value.is_integer():
        return int(value)
    if hint is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value) is hint and hint is not float:
        return value
    raise ConfigError(f"{name} must be {in_words(hint)}, not {value!r}")


def _is_settings(hint: Hint) -> bool:
    return isinstance(hint, type) and issubclass(hint, Settings) and not issubclass(hint, TextForm)


def _section(kind: Hint, value: Any, name: str) -> Any:
    """Return the settings of a table, such as ``[training]``."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name or 'the configuration'} must be {in_words(kind)}, not {value!r}")
    names = [entry.name for entry in fields(kind)]
    for key in value:
        if key not in names:
            where = f" in [{name}]" if name else ""
            raise ConfigError(f"unknown setting {key!r}{where}{nearest(str(key), names)}")
    return kind(**value)


def _first_that_fits(hint: Hint, value: Any, name: str) -> Any:
    options = get_args(hint)
    if value is None and NoneType in options:
        return None
    others = [option for option in options if option is not NoneType]
    if len(others) == 1:
        return read(others[0], value, name)
    for option in others:
        try:
            return read(option, value, name)
        except ConfigError:
            continue
    raise ConfigError(f"{name} must be {in_words(hint)}, not {value!r}")


def _entries(hint: Hint, value: Any) -> list[tuple[Hint, Any]] | None:
    """Return type and value of each entry of a list; None: the value is none of this length."""
    inner = get_args(hint)
    if inner[1:] == (Ellipsis,):
        if isinstance(value, str | TextForm):
            value = (value,)
        if isinstance(value, Iterable) and not isinstance(value, Mapping):
            return [(inner[0], entry) for entry in value]
        return None
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return None
    entries = list(value)
    return list(zip(inner, entries, strict=True)) if len(entries) == len(inner) else None


def in_words(hint: Hint) -> str:
    """Return what a person calls a type."""
    origin: Any = get_origin(hint)
    if origin is UnionType:
        return " or ".join(in_words(inner) for inner in get_args(hint) if inner is not NoneType)
    if origin is tuple:
        inner, *others = get_args(hint)
        many = "a list" if others == [Ellipsis] else f"a list of {len(others) + 1}"
        return f"{many}, each {in_words(inner)}"
    if isinstance(hint, type) and issubclass(hint, TextForm):
        return f"an object such as {hint.example}"
    names = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
    return names.get(hint, "a table of names and values")


def to_plain(value: Any) -> Any:
    """Return ``value`` as dicts, lists, text, numbers, booleans and None."""
    if isinstance(value, TextForm):
        return str(value)
    if is_dataclass(value):
        return {entry.name: to_plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {name: to_plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(entry) for entry in value]
    return value


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
