"""Ask the running peers for their status (``parse-dfl node status``), and print a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parse_dfl.config.node import load_agent_file
from parse_dfl.errors import PeerError
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, load_identity
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.status import Status, ask_all, round_of
from parse_dfl.peers.transport import LinkSettings
from parse_dfl.text import as_given

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
    identity = load_identity(
        file.node.name, federation=file.node.federation, certificates=file.certificates
    )
    listening = [address.replace("0.0.0.0", "127.0.0.1") for address in file.listen]  # noqa: S104
    link = LinkSettings(
        listen=["127.0.0.1:0"],
        connect=[*listening, *file.node.connect],
        limit_bytes=LIMIT_BYTES,
        guest=True,
    )
    transport = open_transport(link, identity, wait_s=WAIT_S, stop=Stop())
    try:
        authority = identity.authority() if isinstance(identity, Identity) else None
        statuses = ask_all(transport, identity.federation, authority, timeout_s=ANSWER_S)
    finally:
        transport.close()
    if not statuses:
        raise PeerError(f"no peer of {identity.federation} answers; is the node running?")
    show(statuses, Console())


def show(statuses: Mapping[str, Status], console: Console) -> None:
    """Print a table, or, where that is wider than the console, a few lines a peer: no name is
    ever cut."""
    table = status_table(statuses)
    wide = console.options.update(width=WIDE)
    if console.measure(table, options=wide).maximum <= console.width:
        console.print(table)
        return
    for name, status in sorted(statuses.items()):
        lines = [as_given(name)]
        for column, cell in zip(COLUMNS[1:], _cells(status), strict=True):
            lines += [f"  {column}: {part}" for part in cell.split("\n") if part]
        console.print(Text("\n".join(lines)), soft_wrap=True)


def status_table(statuses: Mapping[str, Status]) -> Table:
    """Return a table with a row for each peer."""
    table = Table(*COLUMNS, title="peers", title_justify="left")
    for name, status in sorted(statuses.items()):
        table.add_row(*map(Text, (as_given(name), *_cells(status))))
    return table


def _cells(status: Status) -> list[str]:
    """Return a peer's cells, names as given; what it signed may be nonsense all the same."""
    try:
        row = _row(status)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        row = ["an answer that cannot be read", *[""] * (len(COLUMNS) - 2)]
    clean = ("".join(c if c.isprintable() or c == "\n" else "?" for c in cell) for cell in row)
    return [as_given(cell) for cell in clean]


def _row(status: Status) -> list[str]:
    accuracy, neighbours = status.get("accuracy"), status["neighbours"]
    return [
        "+".join(map(str, status.get("modalities", []))),
        f"{round_of(status)}/{status.get('rounds')}",
        "\n".join(f"{branch}: {', '.join(names)}" for branch, names in neighbours.items()),
        ", ".join(f"{name} {rounds}" for name, rounds in status["staleness"].items() if rounds),
        ", ".join(status["missing"]),
        f"{status['sent_bytes'] / 1e6:.2f} MB",
        f"{status['received_bytes'] / 1e6:.2f} MB",
        _refused(status["validator"]),
        "" if accuracy is None else f"{100 * accuracy:.1f} %",
    ]


def _refused(validator: Mapping[str, Any]) -> str:
    lines = [
        f"{sender}: {', '.join(f'{reason} {count}' for reason, count in reasons.items())}"
        for part in ("refused", "unverified")
        for sender, reasons in validator[part].items()
    ]
    return "\n".join(lines)
