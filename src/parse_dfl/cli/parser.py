"""argparse whose errors are this package's: one line, with the nearest valid names."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.process import command

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
    """A parser for ``parse-dfl NAME`` whose help ends with examples."""
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
    known = {flag for action in parser._actions for flag in action.option_strings}
    hint, _, _ = nearest(option, known).partition(" known:")
    return ConfigError(f"unknown option {option!r}{hint} see {_help(parser)}")


def _help(parser: argparse.ArgumentParser) -> str:
    """The command that shows a parser's help."""
    return command(*parser.prog.split()[1:], "--help")
