"""Sites that differ: two or three real sessions on loopback, each a node in a thread."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from parse_dfl.config import OverlayConfig, PeerConfig
from parse_dfl.errors import PeerError
from parse_dfl.peers.compatibility import listed
from parse_dfl.peers.config import NodeSettings
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Insecure
from parse_dfl.peers.node import Node
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.status import ask_all
from parse_dfl.peers.transport import LinkSettings
from tests.small import federation

PATIENCE_S = 60.0
CLASSES = "class names (label_names)"
TERMS = {CLASSES: listed(["d0", "d1", "d2"]), "lr": "0.1"}


def free_place():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


class Site:
    """A node that runs until it is stopped; what it noted, and how it ended."""

    def __init__(self, name, terms, *connect):
        self.place, self.notes, self.error, self.rounds = free_place(), [], None, 0
        self.stop, self.terms, self.connect = Stop(), terms, connect
        self.name = name
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def round(self, report):
        self.rounds = report.round

    def note(self, text):
        self.notes.append(text)

    def _run(self):
        link = LinkSettings(listen=[self.place], connect=self.connect, limit_bytes=1 << 20)
        try:
            identity = Insecure(self.name, "demo")
            transport = open_transport(link, identity, wait_s=PATIENCE_S, stop=self.stop)
            node = Node(
                federation(agents="a=1", rounds=100_000),
                transport,
                identity,
                NodeSettings(
                    overlay=OverlayConfig(topology="full"),
                    peer=PeerConfig(insecure=True, least_round_s=0.05),
                    terms=self.terms,
                    meet_s=PATIENCE_S,
                ),
                state=None,
                evaluation=None,
                reporter=self,
            )
            try:
                node.run(self.stop)
            finally:
                node.close()
        except PeerError as error:
            self.error = str(error)

    def end(self):
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()

    def wait(self, until):
        """While it runs."""
        for _ in range(int(PATIENCE_S / 0.05)):
            if until():
                return
            self.thread.join(0.05)
            assert self.thread.is_alive(), self.error
        raise AssertionError(self.notes)


@pytest.fixture
def start():
    sites = []

    def begin(*arguments):
        sites.append(Site(*arguments))
        return sites[-1]

    yield begin
    for site in sites:
        site.stop.ask()
    for site in sites:
        site.end()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            {CLASSES: listed(["d1", "d2", "d3"])},
            (f"{CLASSES} is [3: 'd0', 'd1', 'd2']", "[3: 'd1', 'd2', 'd3']"),
        ),
        (
            {CLASSES: listed(["d1", "d0", "d2"])},
            (f"{CLASSES} is [3: 'd0', 'd1', 'd2']", "[3: 'd1', 'd0', 'd2']"),
        ),
        ({"lr": "0.2"}, ("lr is [0.1]", "[0.2]")),
    ],
)
def test_sites_that_differ_both_end_before_the_first_round(start, other, told):
    first = start("a-0", TERMS)
    second = start("a-1", {**TERMS, **other}, first.place)
    first.end()
    second.end()
    mine, theirs = told
    name, _, value = mine.rpartition(" is ")
    assert f"{name} is {value} at a-0 and {theirs} at a-1" in first.error
    assert f"{name} is {theirs} at a-1 and {value} at a-0" in second.error
    assert first.rounds == second.rounds == 0


def test_a_latecomer_that_differs_ends_and_the_others_go_on(start):
    first = start("a-0", TERMS)
    second = start("a-1", TERMS, first.place)
    for site in (first, second):
        site.wait(lambda site=site: site.rounds > 1)
    late = start("a-2", {**TERMS, "lr": "0.2"}, first.place)
    late.end()
    assert "lr is [0.2] at a-2 and [0.1] at a-0" in late.error
    assert late.rounds == 0
    first.wait(lambda: any("a-2 is ignored" in note for note in first.notes))
    before = first.rounds
    first.wait(lambda: first.rounds > before + 1)
    told = [note for note in first.notes if "a-2" in note]
    assert told == ["a-2 is ignored: lr is [0.1] at a-0 and [0.2] at a-2"]


def test_every_living_peer_is_in_the_status_each_time(start):
    first = start("a-0", TERMS)
    others = [start(f"a-{number}", TERMS, first.place) for number in (1, 2)]
    for site in (first, *others):
        site.wait(lambda site=site: site.rounds > 1)
    for _ in range(8):
        link = LinkSettings(
            listen=["127.0.0.1:0"], connect=[first.place], limit_bytes=1 << 20, guest=True
        )
        guest = open_transport(link, Insecure("guest", "demo"), wait_s=PATIENCE_S, stop=Stop())
        try:
            found = ask_all(guest, "demo", None, timeout_s=PATIENCE_S)
        finally:
            guest.close()
        assert set(found) == {"a-0", "a-1", "a-2"}
