"""``parse-dfl node``: one agent at its own site, as a long-running process."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from parse_dfl.cli.node_init import add_init, init
from parse_dfl.cli.parser import Commands, add_command
from parse_dfl.errors import ConfigError
from parse_dfl.process import command
from parse_dfl.runs.callbacks import end_at_once, handled
from parse_dfl.safe_names import as_given

if TYPE_CHECKING:
    from types import FrameType

    from parse_dfl.peers.round_sync import Stop
    from parse_dfl.peers.status import RoundReport

EXAMPLES = (
    "parse-dfl node init site-a.toml",
    "parse-dfl node site-a.toml",
    "parse-dfl node status site-a.toml",
)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "node",
        execute,
        usage="[init | status] AGENT.toml [options]",
        summary="Be one agent of a federation without a server",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="AGENT.toml",
        help="the agent's file; before it 'init' to write one, 'status' to ask the running peers",
    )
    add_init(parser)


def execute(args: argparse.Namespace) -> None:
    """Run the agent, write its file, or show how its federation is."""
    *verb, path = args.words
    if verb == ["init"]:
        print(init(Path(path), args))
    elif verb == ["status"]:
        from parse_dfl.cli.node_status import show_status

        show_status(Path(path))
    elif verb or path in ("init", "status"):
        raise ConfigError(
            f"cannot read {' '.join(args.words)!r}; write {command('node')} [init | status] "
            "AGENT.toml"
        )
    else:
        _run(Path(path))


def _run(path: Path) -> None:
    from parse_dfl.runs.node_config import load_agent_file

    file = load_agent_file(path)
    import torch

    from parse_dfl.peers.round_sync import Stop
    from parse_dfl.runs.node import run_node

    torch.set_num_threads(1)  # peers of one machine would fight for its cores
    stop = Stop()
    with _stopping_on_signals(stop):
        run_node(file, _Log(), stop)


@contextmanager
def _stopping_on_signals(stop: Stop) -> Iterator[None]:
    """The first signal ends after the round under way, with a checkpoint; a second at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            end_at_once(number, frame)
        stop.ask()
        _say("stops after this round; once more to stop at once")

    with handled(ask):
        yield


class _Log:
    """A line a round on stderr, with the time."""

    def round(self, report: RoundReport) -> None:
        _say(str(report))

    def note(self, text: str) -> None:
        _say(text)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads the log any more: the agent goes on
        print(time.strftime("%Y-%m-%dT%H:%M:%S"), as_given(text), file=sys.stderr, flush=True)
