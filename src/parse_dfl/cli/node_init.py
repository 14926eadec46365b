"""``parse-dfl node init``: a commented file for one agent, by asking or from options."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from parse_dfl.cli.parser import Parser
from parse_dfl.errors import ConfigError, OutputError
from parse_dfl.io import write_atomically
from parse_dfl.process import command
from parse_dfl.runs.node_config import PORT, load_agent_file

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


def add_init(parser: Parser) -> None:
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


def init(path: Path, args: argparse.Namespace) -> str:
    """Write the file; what to do next.

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
    told = {name: json.dumps(answers[name], ensure_ascii=False) for name in answers}
    told |= {name: _listed(answers[name]) for name in ("listen", "connect")}
    told |= {"rounds": answers["rounds"], "insecure": json.dumps(insecure), "file": path.name}
    return TEMPLATE.format(**told)


def _listed(text: str) -> str:
    return json.dumps([part.strip() for part in text.split(",") if part.strip()])
