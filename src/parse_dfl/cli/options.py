"""The options of the table, on a parser and back into a configuration."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from parse_dfl.cli.readers import is_repeatable, reader
from parse_dfl.cli.table import GROUPS, Option
from parse_dfl.errors import ConfigError
from parse_dfl.experiments.config import (
    PLACES,
    RunConfig,
    load_toml,
    validate,
    value_at,
    with_own_lr,
    with_values,
)
from parse_dfl.experiments.resuming import explicit


def add_options(parser: argparse.ArgumentParser, places: Collection[str] = tuple(PLACES)) -> None:
    """Add ``--config`` and the options of the table that set one of ``places``."""
    defaults = RunConfig()
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            if option.place in places:
                _add(group, option, _shown(value_at(defaults, option.place)))
    parser.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="experiment file; options overrule it"
    )


def configuration(args: argparse.Namespace) -> RunConfig:
    """Defaults, overruled by ``--config``, overruled by the options given.

    Raises:
        ConfigError: the file cannot be used, or a value is out of its range.
    """
    config = with_values(_file(args), _on_the_line(args))
    validate(config)
    return config


def _file(args: argparse.Namespace) -> RunConfig:
    """The experiment file; a learning rate on the command line overrules its ``METHOD.lr`` too."""
    config = load_toml(args.config) if args.config else RunConfig()
    if not hasattr(args, "training.lr"):
        return config
    options = {key: v for key, v in config.method_options.items() if not key.endswith(".lr")}
    return replace(config, method_options=options)


def _on_the_line(args: argparse.Namespace) -> dict[str, Any]:
    return {place: _joined(flag, getattr(args, place)) for flag, place in given(args).items()}


def over(kept: RunConfig, args: argparse.Namespace, method: str | None = None) -> RunConfig:
    """``kept``, what a folder was started with, overruled by all that is given now; of one
    ``method`` its own learning rate.

    Raises:
        ConfigError: the file cannot be used, or a value is out of its range.
    """
    config = with_values(with_values(kept, explicit(_file(args))), _on_the_line(args))
    config = config if method is None else with_own_lr(config, method)
    validate(config)
    return config


def given(args: argparse.Namespace) -> dict[str, str]:
    """Flag → place of every option of the table that stands on the command line."""
    table = {option.flag: option.place for options in GROUPS.values() for option in options}
    return {flag: place for flag, place in table.items() if hasattr(args, place)}


def _add(group: Any, option: Option, default: str) -> None:
    hint = PLACES[option.place]
    text = f"{option.help}{f' (default: {default})' if default else ''}".replace("%", "%%")
    settings = {"dest": option.place, "default": argparse.SUPPRESS, "help": text}
    if hint is bool:
        group.add_argument(option.flag, action=argparse.BooleanOptionalAction, **settings)
        return
    if is_repeatable(hint):
        settings["action"] = "append"
    group.add_argument(option.flag, type=reader(hint), metavar=option.metavar, **settings)


def _joined(flag: str, value: Any) -> Any:
    """Pairs given one option at a time become a table, each name once.

    Raises:
        ConfigError: a name is given twice.
    """
    if not (isinstance(value, list) and all(isinstance(entry, tuple) for entry in value)):
        return value
    names = [name for name, _ in value]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{flag} gives {name!r} twice; give each name one value")
    return dict(value)


def _shown(default: Any) -> str:
    if default is None or default is False or default in ((), {}):
        return ""
    if isinstance(default, tuple):
        return ",".join(_shown(entry) for entry in default)
    return f"{default:g}" if isinstance(default, float) else str(default)
