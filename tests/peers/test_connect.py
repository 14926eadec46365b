"""Opening a session: a refusal is an error that says who refuses whom, and why."""

from __future__ import annotations

import re
import socket
from datetime import timedelta

import pytest

from parse_dfl.errors import IdentityError, PeerError
from parse_dfl.peers import certificates
from parse_dfl.peers.certificates import create_ca, issue
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.transport import LinkSettings, Transport

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
