"""Opening a session: a refusal is an error that says who refuses whom, and why."""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from threading import Thread

import pytest

from parse_dfl.config import OverlayConfig, PeerConfig
from parse_dfl.errors import IdentityError, PeerError
from parse_dfl.peers import certificates
from parse_dfl.peers.announcement import class_terms
from parse_dfl.peers.certificates import create_ca, issue
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.node import Node, NodeSettings
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.status import ask_all
from parse_dfl.peers.transport import LinkSettings, Transport
from tests.small import federation

HOST = "127.0.0.1"


def free_place():
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return f"{HOST}:{listener.getsockname()[1]}"


def link(listen, *connect):
    return LinkSettings(listen=[listen], connect=connect, limit_bytes=1000)


def agent(folder, name, *, federation="demo", hosts=(HOST,), now=None):
    """An identity by the authority ``folder``/CA, which is made if it is not there."""
    authority = folder / "CA"
    if not authority.exists():
        create_ca(authority, federation=federation, days=400)
    return Identity.load(issue(authority, name, hosts=hosts, days=10, out=folder), now)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder whose authority is old enough to have issued what has expired since."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "CLOCK_SKEW", timedelta(days=60))
        create_ca(folder / "CA", federation="demo", days=400)
    return folder


@pytest.fixture(scope="module")
def server(home):
    """A peer that listens with certificates."""
    place = free_place()
    transport = Transport(link(place), agent(home, "server"))
    yield place
    transport.close()


@pytest.fixture(scope="module")
def late(home):
    """An agent whose certificate has expired, and that does not look at it."""
    long_ago = certificates._now() - timedelta(days=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "_now", lambda: long_ago)
        return agent(home, "late", now=long_ago.timestamp())


def meet(place, identity, wait_s=30.0):
    transport = open_transport(link(free_place(), place), identity, wait_s=wait_s, stop=Stop())
    transport.close()


def test_two_agents_of_one_authority_meet(home, server):
    meet(server, agent(home, "client"))


def test_an_agent_of_a_foreign_authority_is_refused(tmp_path, server):
    expected = f"no peer accepts this agent: {server}: we refuse its certificate: "
    with pytest.raises(IdentityError, match=re.escape(expected)):
        meet(server, agent(tmp_path, "foreigner"))


def test_a_server_that_does_not_know_our_authority_says_so(home, tmp_path, server):
    agent(tmp_path, "foreigner")
    trusting = tmp_path / "foreigner"
    (trusting / "ca.pem").write_bytes(
        (trusting / "ca.pem").read_bytes() + (home / "CA" / "ca.pem").read_bytes()
    )
    with pytest.raises(IdentityError, match=r"it refuses us: .*another authority"):
        meet(server, Identity.load(trusting))


def test_an_expired_certificate_is_refused_before_any_connection(home, late):
    with pytest.raises(IdentityError, match="the certificate of late expired on"):
        Identity.load(home / "late")


def test_an_expired_certificate_is_refused_by_the_others(server, late):
    with pytest.raises(IdentityError, match="it refuses us: certificate expired"):
        meet(server, late)


def test_a_server_under_another_name_than_its_certificates_is_refused(home, tmp_path):
    place = free_place()
    elsewhere = Transport(link(place), agent(home, "elsewhere", hosts=["elsewhere.example"]))
    try:
        with pytest.raises(IdentityError, match=r"we refuse its certificate: .*mismatch"):
            meet(place, agent(home, "visitor"))
    finally:
        elsewhere.close()


def test_without_a_certificate_there_is_no_connection(server):
    with pytest.raises(PeerError, match=rf"no peer could be reached within 1 s: {server}"):
        meet(server, Insecure("nobody", "demo"), wait_s=1.0)


def test_where_nobody_listens_it_says_so(home):
    place = free_place()
    with pytest.raises(PeerError, match=f"within 0.1 s: {place}: Connection refused"):
        meet(place, agent(home, "alone"), wait_s=0.1)


def test_an_address_that_is_taken_is_named(server):
    with pytest.raises(PeerError, match=f"cannot listen on {server}"):
        Transport(link(server), Insecure("second", "demo"))


PATIENCE_S = 60.0
TERMS = {**class_terms(["d0", "d1", "d2"]), "lr": "0.1"}


class Site:
    """A node that runs until it is stopped; what it noted, and how it ended."""

    def __init__(self, name, terms, *connect, wait_for=2, meet_s=PATIENCE_S):
        self.place, self.notes, self.error, self.rounds = free_place(), [], None, 0
        self.patience = {"wait_for": wait_for, "meet_s": meet_s}
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
                federation(agents="a=1", rounds=100_000).trainer,
                transport,
                identity,
                NodeSettings(
                    overlay=OverlayConfig(topology="full"),
                    peer=PeerConfig(insecure=True, least_round_s=0.05),
                    terms=self.terms,
                    **self.patience,
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

    def begin(*arguments, **patience):
        sites.append(Site(*arguments, **patience))
        return sites[-1]

    yield begin
    for site in sites:
        site.stop.ask()
    for site in sites:
        site.end()


OTHER_LR = {**TERMS, "lr": "0.2"}


@pytest.mark.parametrize(
    ("other", "what", "mine", "theirs"),
    [
        (class_terms(["d1", "d2", "d3"]), "class 0 of label_names", "'d0'", "'d1'"),
        (class_terms(["d0", "d2", "d1"]), "class 1 of label_names", "'d1'", "'d2'"),
        ({"lr": "0.2"}, "lr", "[0.1]", "[0.2]"),
    ],
)
def test_two_sites_that_differ_say_so_at_once_and_never_begin(start, other, what, mine, theirs):
    first = start("a-0", TERMS, meet_s=3.0)
    second = start("a-1", {**TERMS, **other}, first.place, meet_s=3.0)
    first.end()
    second.end()
    assert f"a-1 is ignored: {what} is {mine} at a-0 and {theirs} at a-1" in first.notes
    assert f"differ: {what} is {mine} at a-0 and {theirs} at a-1" in first.error
    assert f"differ: {what} is {theirs} at a-1 and {mine} at a-0" in second.error
    assert first.rounds == second.rounds == 0


def test_one_that_differs_keeps_nobody_from_beginning_and_is_outvoted(start):
    odd = start("a-0", OTHER_LR, wait_for=3)
    alike = [start(f"a-{number}", TERMS, odd.place) for number in (1, 2)]
    odd.end()
    assert "lr is [0.2] at a-0 and [0.1] at a-1" in odd.error
    assert odd.rounds == 0
    for site in alike:
        site.wait(lambda site=site: site.rounds > 1)
        assert "a-0 is ignored: " in " ".join(site.notes)


def test_newcomers_are_not_ended_by_another_newcomer_that_differs(start):
    first = start("a-0", TERMS)
    second = start("a-1", TERMS, first.place)
    for site in (first, second):
        site.wait(lambda site=site: site.rounds > 1)
    late = [start(name, terms, first.place) for name, terms in (("a-2", OTHER_LR), ("a-3", TERMS))]
    late[0].end()
    assert "lr is [0.2] at a-2" in late[0].error
    late[1].wait(lambda: late[1].rounds > 1)


def test_a_latecomer_that_differs_ends_and_the_others_go_on(start):
    first = start("a-0", TERMS)
    second = start("a-1", TERMS, first.place)
    for site in (first, second):
        site.wait(lambda site=site: site.rounds > 1)
    late = start("a-2", OTHER_LR, first.place)
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
