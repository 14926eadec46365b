"""The typed configuration of a run, and its form in JSON and TOML."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from parse_dfl.data.config import DataConfig
from parse_dfl.engine.config import TrainingConfig
from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.networks.config import NetworkConfig
from parse_dfl.overlays.config import OverlayConfig
from parse_dfl.peers.config import PeerConfig
from parse_dfl.runs.checks import check_values

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


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run: a method, trained by a mix of agents, on a data set, over an overlay.

    ``agents`` None means ``a=5,b=5,a+b=5`` for data of exactly two modalities a and b.
    ``record`` names what else is measured while training: ``conflict``, the gradient conflict.
    ``events`` are changes of an agent's modalities, ``ROUND:AGENT:+MODALITY`` or ``-MODALITY``.
    Accuracy is measured every ``eval_every`` rounds on ``eval_samples`` test samples, at the
    end on all of them.  A checkpoint is written every ``checkpoint_every`` rounds.
    """

    agents: str | None = None
    method: str = "parse"
    method_options: Mapping[str, float | str | bool] = field(default_factory=dict)
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    overlay: OverlayConfig = field(default_factory=OverlayConfig)
    peer: PeerConfig = field(default_factory=PeerConfig)
    events: tuple[str, ...] = ()
    eval_every: int = 10
    eval_samples: int = 512
    checkpoint_every: int = 10
    record: tuple[str, ...] = ()
    device: str = "cpu"
    compile: bool = False
    engine: str = "simulate"


def to_dict(config: RunConfig) -> dict[str, Any]:
    """``config`` as JSON values; :func:`from_dict` gives an equal configuration back."""
    return dict(to_plain(config))


def from_dict(mapping: Mapping[str, Any]) -> RunConfig:
    """The configuration that ``mapping`` describes; what it leaves out keeps its default.

    Raises:
        ConfigError: a setting is unknown or has the wrong type.
    """
    config = from_plain(RunConfig, mapping)
    assert isinstance(config, RunConfig)
    return config


def load_toml(path: Path) -> RunConfig:
    """Read an experiment file: settings by name alone, or under ``[data]``, ``[network]``, ….

    Raises:
        ConfigError: the file cannot be read, is no TOML (the line is named), or holds a setting
            that is unknown, given twice, or of the wrong type.
    """
    try:
        return from_settings(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def from_settings(settings: Mapping[str, Any]) -> RunConfig:
    """The configuration of settings that stand by name alone, or in sections.

    Raises:
        ConfigError: a setting is unknown, given twice, or of the wrong type.
    """
    return from_dict(_into_sections(settings))


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """``config`` with some settings changed, named by their place: ``{"training.lr": 0.01}``.

    A table, such as ``network.encoders``, keeps the entries that the new one does not name.

    Raises:
        ConfigError: a setting is unknown or has the wrong type.
    """
    settings = to_dict(config)
    for place, value in values.items():
        section, dot, name = place.rpartition(".")
        table = settings.setdefault(section, {}) if dot else settings
        old = table.get(name)
        both_tables = isinstance(old, dict) and isinstance(value, Mapping)
        table[name] = {**old, **value} if both_tables and isinstance(old, dict) else value
    return from_dict(settings)


def with_own_lr(config: RunConfig, method: str) -> RunConfig:
    """``METHOD.lr`` among the options is the method's learning rate.

    Raises:
        ConfigError: it is no number.
    """
    key = f"{method}.lr"
    if key not in config.method_options:
        return config
    options = dict(config.method_options)
    lr = options.pop(key)
    if isinstance(lr, bool) or not isinstance(lr, int | float):
        raise ConfigError(f"option {key} must be a number, not {lr!r}")
    training = replace(config.training, lr=float(lr))
    return replace(config, method_options=options, training=training)


def validate(config: RunConfig) -> None:
    """Check every setting that can be judged without the data.

    Raises:
        ConfigError: a value is out of its range or names something unknown.
    """
    check_values({place: value_at(config, place) for place in PLACES})


def _places() -> dict[str, Any]:
    places: dict[str, Any] = {}
    for name, hint in hints(RunConfig).items():
        if is_dataclass(hint) and isinstance(hint, type):
            places |= {f"{name}.{inner}": each for inner, each in hints(hint).items()}
        else:
            places[name] = hint
    return places


PLACES = _places()
"""Every setting by its place (``seed``, ``training.lr``) → its type annotation."""

_SECTION_OF = {place.rpartition(".")[2]: place.rpartition(".")[0] for place in PLACES}
"""A setting's name → its section ("" for none); no name stands in two sections."""


def value_at(config: RunConfig, place: str) -> Any:
    """The setting at ``place``, such as ``training.lr``."""
    section, _, name = place.rpartition(".")
    return getattr(getattr(config, section) if section else config, name)


def _into_sections(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Move settings that stand at the top of a file into the section that they belong to."""
    sections = {section for section in _SECTION_OF.values() if section}
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        if name in sections and isinstance(value, Mapping):
            nested.setdefault(name, {})
            _fill(nested[name], value)
        elif name in _SECTION_OF:
            section = _SECTION_OF[name]
            _fill(nested.setdefault(section, {}) if section else nested, {name: value})
        else:
            raise unknown("setting", name, {*_SECTION_OF, *sections})
    return nested


def _fill(table: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in table:
            raise ConfigError(f"{name!r} is given twice; keep one of them")
        table[name] = value
