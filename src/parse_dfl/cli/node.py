"""Add ``parse-dfl node``: run one agent at its own site, as a long-running process.

``node init`` writes its commented file, by asking or from options.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from parse_dfl.cli.parser import Commands, Parser, add_command
from parse_dfl.config.node import PORT, load_agent_file
from parse_dfl.errors import ConfigError, OutputError
from parse_dfl.io import write_atomically
from parse_dfl.process import command, end_at_once, handled
from parse_dfl.text import as_given

if TYPE_CHECKING:
    from types import FrameType

    from parse_dfl.peers.round_sync import Stop
    from parse_dfl.peers.status import RoundReport

EXAMPLES = (
    "parse-dfl node init site-a.toml",
    "parse-dfl node site-a.toml",
    "parse-dfl node status site-a.toml",
)

QUESTIONS = {
    "name": ("this agent's name, as in its certificate", ""),
    "modalities": ("the modalities that it owns, joined by +", ""),
    "data": ("its recordings: a .npz file, or the name of a data set", ""),
    "certificates": ("the folder that 'parse-dfl cert issue' wrote", "certificates"),
    "listen": ("HOST:PORT to listen on", f"0.0.0.0:{PORT}"),
    "connect": ("HOST:PORT of peers to try first, separated by commas", ""),
    "method": ("method, the same at every site", "parse"),
    "topology": ("topology, the same at every site", "ring"),
    "rounds": ("rounds", "100"),
}
"""Setting → what is asked, and the default."""

TEMPLATE = """\
# One agent of a federation.  Start it: parse-dfl node {file}

# The same at every site, as are [training] and [overlay] below.
method = {method}
seed = 0

[node]
name = {name}
modalities = {modalities}
# What 'parse-dfl cert issue' wrote: cert.pem, key.pem and ca.pem.  The key never leaves the site.
certificates = {certificates}
# Others connect here; open this TCP port in the firewall, for the other sites only.
listen = {listen}
# Peers to try first; one that answers is enough, the others are found through it.
connect = {connect}
# Agents, this one included, that must be there before it begins, and the patience in seconds.
wait_for = 2
meet_s = 600.0
# Checkpoints and the trained agent; counts, like all paths here, from where this file lies.
folder = {name}

[data]
data = {data}
# The part to test on, which never trains: auto, is_test, subject:3,7 or fraction:0.2
test = "auto"

[peer]
# synchronous rounds, or asynchronous gossip at each peer's own pace.
pace = "synchronous"
# A round waits for neighbours no longer; a peer silent for the lease is gone.
deadline_s = 10.0
lease_s = 10.0
# A round lasts so long at least: where data come slowly, it spares the processor.
least_round_s = 0.0
# Without certificates and encryption: on one machine only.
insecure = {insecure}

[training]
rounds = {rounds}

[overlay]
topology = {topology}
"""


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
    _add_init(parser)


def execute(args: argparse.Namespace) -> None:
    """Run the agent, write its file, or show how its federation is."""
    *verb, path = args.words
    if verb == ["init"]:
        print(_init(Path(path), args))
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
    """End after the round under way at the first signal, with a checkpoint; at once at a second."""

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

    def agreed(self, payload_bytes: Mapping[str, int]) -> None:
        sent = sum(payload_bytes.values()) / 1000
        _say(f"agreed on the standardisation with the others, sent {sent:.1f} kB of moments")

    def note(self, text: str) -> None:
        _say(text)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads the log any more: the agent goes on
        print(time.strftime("%Y-%m-%dT%H:%M:%S"), as_given(text), file=sys.stderr, flush=True)


def _add_init(parser: Parser) -> None:
    """Add the options that answer the questions."""
    group = parser.add_argument_group("init")
    for name, (question, default) in QUESTIONS.items():
        shown = f"{question}{f' (default: {default})' if default else ''}"
        group.add_argument(f"--{name}", metavar=name.upper(), help=shown)
    group.add_argument(
        "--insecure", action="store_true", help="no certificates: on one machine only"
    )
    group.add_argument("--defaults", action="store_true", help="ask nothing")
    group.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def _init(path: Path, args: argparse.Namespace) -> str:
    """Write the file; return what to do next.

    Raises:
        OutputError: the file is there, or cannot be written.
        ConfigError: an answer cannot be used; the file is there to be mended.
    """
    if path.exists() and not args.overwrite:
        raise OutputError(f"{path} is there; add --overwrite to replace it")
    answers = {name: _answer(name, args) for name in QUESTIONS}
    write_atomically(path, _file(path, answers).encode())
    load_agent_file(path)
    return f"{path} written; start the agent with: {command('node', str(path))}"


def _answer(name: str, args: argparse.Namespace) -> str:
    question, default = QUESTIONS[name]
    if args.insecure:
        default = {"certificates": "", "listen": f"127.0.0.1:{PORT}"}.get(name, default)
        if name == "certificates":
            return default
    given: str | None = getattr(args, name)
    if given is not None or args.defaults:
        return default if given is None else given
    shown = f"{question} [{default}]: " if default else f"{question}: "
    try:
        return input(shown).strip() or default
    except (EOFError, RuntimeError, UnicodeDecodeError) as error:  # no input, or it is closed
        raise ConfigError(
            f"no answer to {name!r}; give --{name} and the other options, or --defaults"
        ) from error


def _file(path: Path, answers: dict[str, str]) -> str:
    insecure = not answers["certificates"]
    values = {name: json.dumps(answers[name], ensure_ascii=False) for name in answers}
    values |= {name: _listed(answers[name]) for name in ("listen", "connect")}
    values |= {"rounds": answers["rounds"], "insecure": json.dumps(insecure), "file": path.name}
    return TEMPLATE.format(**values)


def _listed(text: str) -> str:
    return json.dumps([part.strip() for part in text.split(",") if part.strip()])
