"""Add ``parse-dfl cert``: make the federation's authority, and issue certificates to agents."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from parse_dfl.cli.parser import Commands, Parser, add_command, at_most
from parse_dfl.process import command

EXAMPLES = (
    "parse-dfl cert ca --federation demo --out ca",
    "parse-dfl cert issue acc-0 --ca ca --host site-a.example.org --host 10.0.0.7",
    "parse-dfl cert show certificates/acc-0",
)
ACTIONS = """what it is for:
  Every agent of a federation has a key, and a certificate by the federation's authority that
  says which agent the key speaks for.  Connections and messages without one are refused.

  1. cert ca     once, on a machine that is not on the network; ca.key never leaves it
  2. cert issue  once per agent; give its folder, and nothing else, to its site
  3. cert issue  again before it expires: the site replaces the folder and restarts the agent;
                 the old certificate is valid until it expires
"""
LOOPBACK = ("localhost", "127.0.0.1")
CA_DAYS, AGENT_DAYS = 3650, 365
MOST_DAYS = 36500


def add(commands: Commands) -> None:
    """Add the command and its three actions."""
    parser = add_command(
        commands,
        "cert",
        _no_action,
        usage="ca|issue|show [options]",
        summary="Make the federation's authority, issue certificates to agents, show one",
        examples=EXAMPLES,
    )
    parser.epilog = f"{ACTIONS}\n{parser.epilog}"
    actions = parser.add_subparsers(title="actions", metavar="ACTION", prog="parse-dfl cert")
    _add_ca(actions)
    _add_issue(actions)
    _add_show(actions)


def _add_ca(actions: Commands) -> None:
    parser = _action(actions, "ca", _ca, "Make the federation's authority: ca.pem and ca.key")
    parser.add_argument("--federation", required=True, metavar="NAME", help="its name")
    parser.add_argument(
        "--out", type=Path, default=Path("ca"), metavar="DIR", help="folder (default: ca)"
    )
    _add_days(parser, CA_DAYS)


def _add_issue(actions: Commands) -> None:
    parser = _action(actions, "issue", _issue, "Issue an agent its key and certificate")
    parser.add_argument("name", metavar="NAME", help="the agent's name, such as acc-0")
    parser.add_argument(
        "--ca", type=Path, default=Path("ca"), metavar="DIR", help="the authority (default: ca)"
    )
    parser.add_argument(
        "--host",
        action="append",
        metavar="HOST",
        help="name or address that others connect to it by; repeatable "
        f"(default: {', '.join(LOOPBACK)})",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("certificates"),
        metavar="DIR",
        help="folder that NAME/ is made in (default: certificates)",
    )
    _add_days(parser, AGENT_DAYS)


def _add_show(actions: Commands) -> None:
    parser = _action(actions, "show", _show, "Check an agent's folder, and say what it is good for")
    parser.add_argument("folder", type=Path, metavar="DIR", help="what 'cert issue' wrote")


def _add_days(parser: Parser, default: int) -> None:
    parser.add_argument(
        "--days",
        type=at_most(MOST_DAYS),
        default=default,
        metavar="N",
        help=f"how long it is valid (default: {default})",
    )


def _action(
    actions: Commands, name: str, execute: Callable[[argparse.Namespace], None], summary: str
) -> Parser:
    parser = actions.add_parser(name, help=summary, description=f"{summary}.")
    parser.set_defaults(execute=execute)
    assert isinstance(parser, Parser)
    return parser


def _no_action(args: argparse.Namespace) -> None:  # noqa: ARG001
    from parse_dfl.errors import ConfigError

    raise ConfigError(f"say what to do: ca, issue or show; see {command('cert', '--help')}")


def _ca(args: argparse.Namespace) -> None:
    from parse_dfl.peers.certificates import create_ca

    create_ca(args.out, federation=args.federation, days=args.days)
    print(f"{args.out}: ca.pem, ca.key")
    print(f"Keep {args.out / 'ca.key'} off the network: whoever has it can be any agent.")


def _issue(args: argparse.Namespace) -> None:
    from parse_dfl.peers.certificates import issue

    folder = issue(args.ca, args.name, hosts=args.host or LOOPBACK, days=args.days, out=args.out)
    print(f"{folder}: ca.pem, cert.pem, key.pem")
    print(_summary(folder))


def _show(args: argparse.Namespace) -> None:
    print(_summary(args.folder))


def _summary(folder: Path) -> str:
    """Return ``acc-0 of demo, reached as localhost; valid until 2027-11-25 (364 days)``."""
    import time

    from parse_dfl.peers.certificates import hosts_of, read_certificate
    from parse_dfl.peers.identity import Identity

    identity = Identity.load(folder)
    hosts = ", ".join(hosts_of(read_certificate(folder / "cert.pem"))) or "nothing"
    until = identity.verified.valid_until
    days = int((until - time.time()) // 86400)
    day = time.strftime("%Y-%m-%d", time.gmtime(until))
    return (
        f"{identity.name} of {identity.federation}, reached as {hosts}; "
        f"valid until {day} ({days} days)"
    )
