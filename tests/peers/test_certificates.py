from __future__ import annotations

import stat

import pytest
from cryptography import x509

from parse_dfl.errors import ConfigError, IdentityError, OutputError
from parse_dfl.peers.certificates import (
    check_name,
    create_ca,
    is_address,
    issue,
    read_certificate,
    read_key,
)
from parse_dfl.peers.identity import Identity
from tests.peers.trust import at


@pytest.fixture
def ca(tmp_path):
    create_ca(tmp_path / "ca", federation="demo", days=30)
    return tmp_path / "ca"


def test_an_agent_gets_its_own_folder_and_keys_are_private(ca, tmp_path):
    made = issue(ca, "acc+gyro-0", hosts=["localhost", "10.0.0.7"], days=10, out=tmp_path / "out")
    assert made == tmp_path / "out" / "acc+gyro-0"
    assert sorted(path.name for path in made.iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    for secret in (made / "key.pem", ca / "ca.key"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert (made / "ca.pem").read_bytes() == (ca / "ca.pem").read_bytes()


def test_what_stands_in_a_certificate(ca, tmp_path):
    made = issue(ca, "acc-0", hosts=["localhost", "10.0.0.7"], days=10, out=tmp_path)
    certificate = read_certificate(made / "cert.pem")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["parse-dfl://demo/acc-0"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7"]
    assert certificate.subject.rfc4514_string() == "CN=acc-0,O=demo"


def test_rotation_replaces_the_files_and_the_old_one_stays_valid(ca, tmp_path):
    first = Identity.load(issue(ca, "acc-0", hosts=[], days=10, out=tmp_path))
    second = Identity.load(issue(ca, "acc-0", hosts=[], days=20, out=tmp_path))
    assert second.fingerprint != first.fingerprint
    authority = second.authority()
    for identity in (first, second):
        assert authority.check(identity.certificate, identity.verified.valid_from + 1)


def test_no_certificate_outlives_its_authority(ca, tmp_path):
    long = Identity.load(issue(ca, "acc-0", hosts=[], days=400, out=tmp_path))
    end = read_certificate(ca / "ca.pem").not_valid_after_utc.timestamp()
    assert long.verified.valid_until == end


def test_an_authority_is_never_overwritten(ca):
    with pytest.raises(OutputError, match=r"ca\.key exists; a new authority would shut out all"):
        create_ca(ca, federation="demo", days=30)


def test_an_expired_authority_issues_nothing(tmp_path, monkeypatch):
    at(monkeypatch, -40)
    create_ca(tmp_path / "ca", federation="demo", days=30)
    at(monkeypatch, 0)
    with pytest.raises(IdentityError, match=r"expired on .*make a new one"):
        issue(tmp_path / "ca", "acc-0", hosts=[], days=1, out=tmp_path)


def test_bad_input(ca, tmp_path):
    with pytest.raises(ConfigError, match=r"'\.\.' cannot name the agent"):
        issue(ca, "..", hosts=[], days=1, out=tmp_path)
    with pytest.raises(ConfigError, match="cannot name the federation"):
        create_ca(tmp_path / "new", federation="a/b", days=1)
    with pytest.raises(ConfigError, match="'a b' is neither an IP address nor a host name"):
        issue(ca, "acc-0", hosts=["a b"], days=1, out=tmp_path)
    with pytest.raises(ConfigError, match="valid for 1 to 36500 days, not 0"):
        issue(ca, "acc-0", hosts=[], days=0, out=tmp_path)
    with pytest.raises(IdentityError, match=r"holds no ca\.key; make an authority first"):
        issue(tmp_path / "nowhere", "acc-0", hosts=[], days=1, out=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        issue(ca, "acc-0", hosts=[], days=1, out=tmp_path / "file")


def test_an_authority_of_two_halves_is_refused(ca, tmp_path):
    create_ca(tmp_path / "other", federation="demo", days=30)
    (ca / "ca.pem").write_bytes((tmp_path / "other" / "ca.pem").read_bytes())
    with pytest.raises(IdentityError, match="are not of one another"):
        issue(ca, "acc-0", hosts=[], days=1, out=tmp_path)


def test_files_that_are_none(tmp_path):
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(IdentityError, match="no certificate in PEM format"):
        read_certificate(tmp_path / "x.pem")
    with pytest.raises(IdentityError, match="no unlocked private key"):
        read_key(tmp_path / "x.pem")
    with pytest.raises(IdentityError, match=r"cannot read .*missing: No such file"):
        read_key(tmp_path / "missing")


def test_a_key_of_another_kind(tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(IdentityError, match="another kind; P-256 is used"):
        read_key(tmp_path / "key.pem")


@pytest.mark.parametrize("name", ["acc-0", "acc+gyro-12", "_x", "7.b", "a" * 64])
def test_good_names(name):
    assert check_name("agent", name) == name


@pytest.mark.parametrize("name", ["", "..", ".x", "-x", "a/b", "a b", "a*", "a" * 65, "é", "a\n"])
def test_names_that_could_mean_something_else_are_refused(name):
    with pytest.raises(ConfigError, match=r"cannot name the agent; use at most 64 letters"):
        check_name("agent", name)


@pytest.mark.parametrize(
    ("host", "numeric"),
    [("10.0.0.7", True), ("::1", True), ("localhost", False), ("a-b.example.org", False)],
)
def test_hosts(host, numeric):
    assert is_address(host) is numeric


@pytest.mark.parametrize("host", ["", "*.example.org", "a b", "tls/host", "host:7447", "x" * 300])
def test_bad_hosts_are_refused(host):
    with pytest.raises(ConfigError, match="neither an IP address nor a host name"):
        is_address(host)
