from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError, IdentityError
from parse_dfl.peers.identity import Identity, Insecure
from tests.peers.trust import at, make_agent


def test_an_expired_identity_says_what_to_do(tmp_path, monkeypatch):
    at(monkeypatch, -20)
    with pytest.raises(IdentityError, match=r"acc-0 expired on .*issue another: parse-dfl cert"):
        make_agent(tmp_path, days=10)
    at(monkeypatch, 5)
    with pytest.raises(IdentityError, match=r"acc-1 is valid from .* on; issue another"):
        make_agent(tmp_path, "acc-1")


def test_a_key_of_another_certificate(tmp_path):
    make_agent(tmp_path)
    make_agent(tmp_path, "acc-1")
    (tmp_path / "acc-0" / "key.pem").write_bytes((tmp_path / "acc-1" / "key.pem").read_bytes())
    with pytest.raises(IdentityError, match=r"is not the key of cert\.pem; issue both again"):
        Identity.load(tmp_path / "acc-0")


def test_missing_files_are_named(tmp_path):
    make_agent(tmp_path)
    (tmp_path / "acc-0" / "cert.pem").unlink()
    with pytest.raises(IdentityError, match=r"cannot read .*cert\.pem: No such file"):
        Identity.load(tmp_path / "acc-0")


def test_an_insecure_agent_signs_nothing():
    nobody = Insecure("acc-0", "demo")
    assert (nobody.sign(b"x"), nobody.fingerprint, nobody.certificate) == (b"", b"", b"")
    with pytest.raises(ConfigError, match="cannot name the agent"):
        Insecure("a/b", "demo")
