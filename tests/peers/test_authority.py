from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.errors import IdentityError
from parse_dfl.peers.authority import SIGNATURE_BYTES, Authority, Reason, Rejected, is_signed, sign
from parse_dfl.peers.certificates import create_ca
from tests.peers.trust import DAY_S, make_agent


@pytest.fixture
def agent(tmp_path):
    return make_agent(tmp_path)


@pytest.fixture
def now(agent):
    return agent.verified.valid_from + DAY_S


def refused(reason, call, *arguments):
    with pytest.raises(Rejected) as caught:
        call(*arguments)
    assert caught.value.reason is reason
    return caught.value.detail


def test_a_signature_holds_for_its_data_and_key_alone(agent, tmp_path, now):
    signature = agent.sign(b"data")
    certified = agent.authority().check(agent.certificate, now)
    assert (certified.name, certified.federation) == ("acc-0", "demo")
    assert len(signature) == 64
    certified.verify(signature, b"data")
    other = make_agent(tmp_path, "acc-1")
    for bad, data in [
        (signature, b"datum"),
        (other.sign(b"data"), b"data"),
        (b"", b"data"),
        (bytes(64), b"data"),
        (b"\xff" * 64, b"data"),
    ]:
        refused(Reason.SIGNATURE, certified.verify, bad, data)


def test_certificates_are_known_by_fingerprint_once_they_were_shown(agent, now):
    authority = agent.authority()
    assert "no certificate was shown" in refused(
        Reason.UNCERTIFIED, authority.verified, agent.fingerprint, now
    )
    certified = authority.check(agent.certificate, now)
    assert authority.verified(agent.fingerprint, now) is certified
    assert authority.check(agent.certificate, now) is certified
    late = now + 20 * DAY_S
    assert "expired on" in refused(Reason.EXPIRED, authority.verified, agent.fingerprint, late)


def test_expired_and_premature_certificates(agent, now):
    authority = agent.authority()
    refused(Reason.EXPIRED, authority.check, agent.certificate, now + 20 * DAY_S)
    refused(Reason.PREMATURE, authority.check, agent.certificate, now - 20 * DAY_S)


def test_a_foreign_authority_of_the_same_name(agent, tmp_path, now):
    other = make_agent(tmp_path / "elsewhere")
    assert "did not issue" in refused(
        Reason.FOREIGN, agent.authority().check, other.certificate, now
    )


def test_the_authority_is_no_agent(agent, tmp_path, now):
    ca = (tmp_path / "ca" / "ca.pem").read_bytes()
    assert "no agent of demo" in refused(Reason.FOREIGN, agent.authority().check, ca, now)


def test_an_agent_cannot_issue_certificates(agent, tmp_path, now):
    """Its certificate and key, put in an authority's place, make agents that nobody believes."""
    rogue = tmp_path / "rogue"
    rogue.mkdir()
    (rogue / "ca.pem").write_bytes(agent.certificate)
    (rogue / "ca.key").write_bytes((tmp_path / "acc-0" / "key.pem").read_bytes())
    with pytest.raises(IdentityError, match="no authority's certificate"):
        make_agent(tmp_path / "x", "acc-1", ca=rogue)
    forged = (tmp_path / "x" / "acc-1" / "cert.pem").read_bytes()
    refused(Reason.FOREIGN, agent.authority().check, forged, now)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.FRAMING),
        (b"x" * 100, Reason.FRAMING),
        (b"x" * 5000, Reason.SIZE),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", Reason.FRAMING),
    ],
)
def test_no_certificate_at_all(agent, data, reason):
    refused(reason, agent.authority().check, data, 0.0)


def test_a_change_of_authority(tmp_path, agent, now):
    """While it lasts, ca.pem holds both, and agents of either are believed."""
    new = make_agent(tmp_path / "new", "acc-1")
    both = tmp_path / "both.pem"
    both.write_bytes(
        (tmp_path / "ca" / "ca.pem").read_bytes() + (tmp_path / "new/ca/ca.pem").read_bytes()
    )
    authority = Authority.load(both)
    assert authority.check(agent.certificate, now).name == "acc-0"
    assert authority.check(new.certificate, now).name == "acc-1"


def test_authorities_that_are_none(tmp_path, agent):
    with pytest.raises(IdentityError, match="no authority's certificate of one federation"):
        Authority.load(tmp_path / "acc-0" / "cert.pem")
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(IdentityError, match="no certificate in PEM format"):
        Authority.load(tmp_path / "x.pem")
    create_ca(tmp_path / "other", federation="other", days=3)
    mixed = (tmp_path / "ca" / "ca.pem", tmp_path / "other" / "ca.pem")
    (tmp_path / "x.pem").write_bytes(b"".join(path.read_bytes() for path in mixed))
    with pytest.raises(IdentityError, match="no authority's certificate of one federation"):
        Authority.load(tmp_path / "x.pem")


OWN, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_signature_is_of_its_data_and_key_alone(data, other):
    signature = sign(OWN, data)
    assert len(signature) == SIGNATURE_BYTES
    assert is_signed(OWN.public_key(), signature, data)
    assert is_signed(OWN.public_key(), signature, other) is (data == other)
    assert not is_signed(OTHER.public_key(), signature, data)


@given(st.binary(max_size=2 * SIGNATURE_BYTES) | st.binary(min_size=64, max_size=64))
def test_whatever_comes_instead_is_none(rubbish):
    assert not is_signed(OWN.public_key(), rubbish, b"data")
