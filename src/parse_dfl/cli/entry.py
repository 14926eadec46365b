"""Parse the command line, run a command, and turn an error into one line and an exit status."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from signal import SIGINT, Signals
from typing import Any

from parse_dfl import __version__
from parse_dfl.cli import cert, compare, data, node, report, run
from parse_dfl.cli.output import Interrupted, lasting_streams
from parse_dfl.cli.parser import Commands, Parser, parse
from parse_dfl.cli.processes import tune
from parse_dfl.errors import DivergenceError, ParseDflError, RankError
from parse_dfl.process import interrupt_at_once, launch
from parse_dfl.text import as_given

COMMANDS = (run, compare, data, report, node, cert)
BAD_INPUT, DIVERGED = 2, 3
SIGNALLED = 128
"""Added to the number of the signal that ended the program: 130 is Ctrl-C, 143 SIGTERM."""

EXIT_STATUS = """exit status:
  0        done
  2        something that was given cannot be used; one line says what
  3        trained and written, but agents have diverged
  128 + N  ended by signal N: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP; run and compare finish the round
           and write a checkpoint first"""
OUT_OF_MEMORY = re.compile("not enough memory|allocate memory|out of memory", re.IGNORECASE)
"""How torch says so, in a RuntimeError."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (``EXIT_STATUS``)."""
    with lasting_streams() as lost:
        try:
            status = _run(sys.argv[1:] if argv is None else argv)
        except SystemExit:  # --help and --version
            if not lost():
                raise
            status = 0
        if status == 0 and (reason := lost()):
            _say(f"cannot write the output: {reason}; what goes to files is written")
            return BAD_INPUT
        return status


def _run(argv: Sequence[str]) -> int:
    parser, commands = build()
    try:
        args = parse(parser, commands, argv)
        tune(args)
        with interrupt_at_once(), _warnings_in_a_line():
            args.execute(args)
    except DivergenceError as error:
        _say(str(error))
        return DIVERGED
    except ParseDflError as error:
        if launch().is_main if not isinstance(error, RankError) else error.first:
            _say(str(error))
        return BAD_INPUT
    except (KeyboardInterrupt, Interrupted) as stop:
        number = Signals(getattr(stop, "number", SIGINT))
        what = "interrupted" if number == SIGINT else f"stopped by {number.name}"
        if launch().is_main:
            _say(f"{what}; {stop}" if str(stop) else what)
        return SIGNALLED + number
    except OSError as error:
        if error.filename is None:
            raise
        # Whatever asks about a path may meet one that is too long, or a folder that is closed.
        _say(f"cannot use {_cut(str(error.filename))}: {error.strerror}")
        return BAD_INPUT
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error))):
            raise
        _say(f"not enough memory ({_first_line(error)}); use fewer agents, samples or units")
        return BAD_INPUT
    return 0


def _cut(path: str) -> str:
    return path if len(path) <= 120 else f"{path[:60]}...{path[-40:]}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "it was refused"


def build() -> tuple[Parser, Commands]:
    """Return the parser and its commands."""
    parser = Parser(
        prog="parse-dfl",
        description="Multimodal decentralized federated learning: PARSE and its rivals.",
        epilog=f"Each command teaches its own options: parse-dfl run --help\n\n{EXIT_STATUS}",
    )
    parser.add_argument("--version", action="version", version=f"parse-dfl {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser, commands


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone: the status tells all the same
        print(f"parse-dfl: {as_given(' '.join(text.split()))}", file=sys.stderr)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show each warning once, as one line, without the place in the source that raised it."""
    seen: set[str] = set()

    def show(message: Warning | str, *_place: Any, **_more: Any) -> None:
        text = as_given(" ".join(str(message).split()))
        if text not in seen and launch().is_main:
            seen.add(text)
            print(f"warning: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
