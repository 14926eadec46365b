"""``parse-dfl node status``: ask the running peers how they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parse_dfl.errors import PeerError
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity
from parse_dfl.peers.node_state import Stop
from parse_dfl.peers.status import ask_all, round_of
from parse_dfl.peers.transport import LinkSettings
from parse_dfl.runs.node import identity_of
from parse_dfl.runs.node_config import load_agent_file
from parse_dfl.safe_names import as_given

WAIT_S = 10.0
ANSWER_S = 3.0
LIMIT_BYTES = 1 << 20
WIDE = 10_000
COLUMNS = (
    "agent",
    "modalities",
    "round",
    "neighbours by branch",
    "behind",
    "missing",
    "sent",
    "received",
    "refused",
    "accuracy",
)


def show_status(path: Path) -> None:
    """Print a table of every peer that answers.

    Raises:
        PeerError: none does.
    """
    file = load_agent_file(path)
    identity = identity_of(file)
    own = [place.replace("0.0.0.0", "127.0.0.1") for place in file.listen]  # noqa: S104
    link = LinkSettings(
        listen=["127.0.0.1:0"],
        connect=[*own, *file.node.connect],
        limit_bytes=LIMIT_BYTES,
        guest=True,
    )
    transport = open_transport(link, identity, wait_s=WAIT_S, stop=Stop())
    try:
        authority = identity.authority() if isinstance(identity, Identity) else None
        found = ask_all(transport, identity.federation, authority, timeout_s=ANSWER_S)
    finally:
        transport.close()
    if not found:
        raise PeerError(f"no peer of {identity.federation} answers; is the node running?")
    show(found, Console())


def show(found: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Print a table, or, where that is wider than the console, a few lines a peer: no name is
    ever cut."""
    table = status_table(found)
    wide = console.options.update(width=WIDE)
    if console.measure(table, options=wide).maximum <= console.width:
        console.print(table)
        return
    for name, told in sorted(found.items()):
        lines = [as_given(name)]
        for column, cell in zip(COLUMNS[1:], _cells(told), strict=True):
            lines += [f"  {column}: {part}" for part in cell.split("\n") if part]
        console.print(Text("\n".join(lines)), soft_wrap=True)


def status_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a peer."""
    table = Table(*COLUMNS, title="peers", title_justify="left")
    for name, told in sorted(found.items()):
        table.add_row(*map(Text, (as_given(name), *_cells(told))))
    return table


def _cells(told: Mapping[str, Any]) -> list[str]:
    """What a peer tells, names as given; it is signed, and may be nonsense all the same."""
    try:
        row = _row(told)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        row = ["an answer that cannot be read", *[""] * (len(COLUMNS) - 2)]
    clean = ("".join(c if c.isprintable() or c == "\n" else "?" for c in cell) for cell in row)
    return [as_given(cell) for cell in clean]


def _row(told: Mapping[str, Any]) -> list[str]:
    accuracy = told.get("accuracy")
    return [
        "+".join(map(str, told.get("modalities", []))),
        f"{round_of(told)}/{told.get('rounds')}",
        "\n".join(f"{branch}: {', '.join(names)}" for branch, names in told["neighbours"].items()),
        ", ".join(f"{name} {rounds}" for name, rounds in told["staleness"].items() if rounds),
        ", ".join(told["missing"]),
        f"{told['sent_bytes'] / 1e6:.2f} MB",
        f"{told['received_bytes'] / 1e6:.2f} MB",
        _refused(told["validator"]),
        "" if accuracy is None else f"{100 * accuracy:.1f} %",
    ]


def _refused(validator: Mapping[str, Any]) -> str:
    lines = [
        f"{sender}: {', '.join(f'{reason} {count}' for reason, count in reasons.items())}"
        for part in ("refused", "unverified")
        for sender, reasons in validator[part].items()
    ]
    return "\n".join(lines)
