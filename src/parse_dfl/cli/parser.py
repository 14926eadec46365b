"""Extend argparse by this package's errors and by options made of the settings' declarations."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, NoReturn, get_args, get_origin

from parse_dfl.config import (
    GROUPS,
    SETTINGS,
    RunConfig,
    load_toml,
    value_at,
    with_values,
)
from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.process import command
from parse_dfl.settings import Hint, Setting, to_plain
from parse_dfl.text import LARGEST, real, whole
from parse_dfl.text_form import number_text

Execute = Callable[[argparse.Namespace], None]
Commands = Any
"""What ``add_subparsers`` returns; argparse has no public name for it."""


class Parser(argparse.ArgumentParser):
    """A parser that raises :class:`ConfigError` instead of printing its usage and exiting."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **settings,
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise ConfigError(f"{message}; see {_help(self)}")


def add_command(
    commands: Commands,
    name: str,
    execute: Execute,
    *,
    usage: str,
    summary: str,
    examples: Sequence[str],
) -> Parser:
    """Add a parser for ``parse-dfl NAME`` whose help ends with examples."""
    shown = "\n".join(f"  {example}" for example in examples)
    parser = commands.add_parser(
        name,
        usage=f"parse-dfl {name} {usage}",
        help=summary,
        description=f"{summary}.",
        epilog=f"examples:\n{shown}",
    )
    parser.set_defaults(execute=execute)
    assert isinstance(parser, Parser)
    return parser


def parse(parser: Parser, commands: Commands, argv: Sequence[str]) -> argparse.Namespace:
    """Parse ``argv``.

    Raises:
        ConfigError: an unknown command or option, or a value of the wrong type.
    """
    first = argv[0] if argv else "--"
    if not first.startswith("-") and first not in commands.choices:
        raise unknown("command", first, commands.choices)
    args, rest = parser.parse_known_args(argv)
    if hasattr(args, "words") and not any(word.startswith("-") for word in rest):
        args.words += rest  # argparse takes words before the first option only
        rest = []
    if rest:
        raise _surplus(rest[0], _innermost(commands.choices.get(first, parser), argv[1:]), first)
    if not hasattr(args, "execute"):
        raise ConfigError(f"give a command: {', '.join(commands.choices)}; see {command('--help')}")
    return args


def _innermost(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the action that was named, such as that of ``cert issue``."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return next((action.choices[word] for word in argv if word in action.choices), parser)
    return parser


def _surplus(text: str, parser: argparse.ArgumentParser, after: str) -> ConfigError:
    if not text.startswith("-"):
        return ConfigError(f"unexpected {text!r} after {after!r}; see {_help(parser)}")
    option = text.partition("=")[0]
    flags = {flag for action in parser._actions for flag in action.option_strings}
    hint, _, _ = nearest(option, flags).partition(" known:")
    return ConfigError(f"unknown option {option!r}{hint} see {_help(parser)}")


def _help(parser: argparse.ArgumentParser) -> str:
    """Return the command that shows a parser's help."""
    return command(*parser.prog.split()[1:], "--help")


def add_options(parser: argparse.ArgumentParser, paths: Collection[str] = tuple(SETTINGS)) -> None:
    """Add ``--config`` and the options of the settings at ``paths``, under their headings."""
    for heading in GROUPS:
        group = parser.add_argument_group(heading)
        for path, setting in SETTINGS.items():
            if path in paths and setting.declaration.group == heading:
                add_option(group, setting)
    parser.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="experiment file; options overrule it"
    )


def add_option(group: argparse._ActionsContainer, setting: Setting) -> None:
    """Add the option of a setting; it is absent from the arguments unless it is given."""
    declaration, default = setting.declaration, _shown(setting.default)
    *others, last = declaration.choices or ("",)
    text = declaration.help or f"{', '.join(others)} or {last}"
    text = f"{text}{f' (default: {default})' if default else ''}".replace("%", "%%")
    settings: dict[str, Any] = {"dest": setting.path, "default": argparse.SUPPRESS, "help": text}
    if setting.hint is bool:
        group.add_argument(declaration.flag, action=argparse.BooleanOptionalAction, **settings)
        return
    if is_repeatable(setting.hint):
        settings["action"] = "append"
    read = reader(setting.hint)
    if declaration.metavar.endswith("|all"):
        read = _or_all(read)
    group.add_argument(declaration.flag, type=read, metavar=declaration.metavar, **settings)


def _or_all(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader that takes ``all`` for None, whose name argparse shows."""
    return lambda text: None if text == "all" else read(text)


def _shown(default: Any) -> str:
    plain = to_plain(default)
    if plain is None or plain is False or plain in ([], {}):
        return ""
    if isinstance(plain, list):
        return ",".join(_shown(entry) for entry in plain)
    return number_text(plain) if isinstance(plain, float) else str(plain)


def given(args: argparse.Namespace) -> dict[str, str]:
    """Return flag → path of every setting whose option stands on the command line."""
    return {s.declaration.flag: path for path, s in SETTINGS.items() if hasattr(args, path)}


def configuration(args: argparse.Namespace, **values: Any) -> RunConfig:
    """Return the defaults, overruled by ``--config``, overruled by the options given, overruled by
    ``values``.

    Raises:
        ConfigError: the file cannot be used, or a value is out of its range.
    """
    return with_values(_file(args), _on_the_line(args) | values)


def over(kept: RunConfig, args: argparse.Namespace, method: str | None = None) -> RunConfig:
    """Return ``kept``, what a folder was started with, overruled by all that is given now; of one
    ``method`` its own learning rate.

    Raises:
        ConfigError: the file cannot be used, or a value is out of its range.
    """
    usual, file = RunConfig(), _file(args)
    changed = {path: value_at(file, path) for path in SETTINGS}
    changed = {path: value for path, value in changed.items() if value != value_at(usual, path)}
    config = with_values(with_values(kept, changed), _on_the_line(args))
    return config if method is None else config.for_method(method)


def _file(args: argparse.Namespace) -> RunConfig:
    """Read the experiment file; a learning rate on the command line overrules its ``METHOD.lr``."""
    config = load_toml(args.config) if args.config else RunConfig()
    if not hasattr(args, "training.lr"):
        return config
    options = {key: v for key, v in config.method_options.items() if not key.endswith(".lr")}
    return replace(config, method_options=options)


def _on_the_line(args: argparse.Namespace) -> dict[str, Any]:
    return {path: _joined(flag, getattr(args, path)) for flag, path in given(args).items()}


def _joined(flag: str, value: Any) -> Any:
    """Make a table of pairs given one option at a time, each name once.

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


def is_repeatable(hint: Hint) -> bool:
    """Return whether the option may stand several times: a table or a list of any length."""
    origin: Any = get_origin(hint)
    return origin is Mapping or get_args(hint)[1:] == (Ellipsis,)


def reader(hint: Hint) -> Callable[[str], Any]:
    """Return what makes a value of the type ``hint`` of an option's text, for argparse.

    Text forms stay text: the configuration reads them.
    """
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
    """Read a whole number, for argparse."""
    number = whole(text)
    if number is None:
        huge = re.fullmatch(r"[+-]?[0-9]+", text.strip())
        problem = f"is beyond ±{LARGEST}" if huge else "is no whole number"
        raise argparse.ArgumentTypeError(f"{_cut(text)} {problem}")
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
    """Read a whole number of at least one, for argparse."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 or more")
    if number > most:
        raise argparse.ArgumentTypeError(f"{number} is too many; give at most {most}")
    return number


def at_most(most: int) -> Callable[[str], int]:
    """Read a whole number from 1 to ``most``, for argparse."""
    return partial(positive, most=most)


def accuracies(text: str) -> list[float]:
    """Read numbers above 0 and at most 1, joined by commas, for argparse."""
    values = _numbers(text)
    for value in values:
        if not 0 < value <= 1:
            raise argparse.ArgumentTypeError(f"{value:g} is no accuracy; give 0.8 for 80 %")
    return values
