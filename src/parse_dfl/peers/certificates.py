"""Keep the federation's certificate authority, offline, and issue certificates.

A certificate says: this key speaks for this agent of this federation.  The agent stands in it as
a URI among its alternative names, ``parse-dfl://FEDERATION/AGENT``, apart from the host names
and addresses under which others connect to it, so that no host name can pass for an agent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parse_dfl.errors import ConfigError, IdentityError, OutputError
from parse_dfl.io import cannot_write, write_atomically
from parse_dfl.process import command

_NAME = re.compile(r"(?=.{1,64}$)(?:[A-Za-z0-9_]|-u)[A-Za-z0-9_+.-]*")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")

CLOCK_SKEW = timedelta(minutes=5)
"""Certificates are valid from a little before now: the clocks of sites differ."""

SECRET = 0o600
CA_CERTIFICATE, CA_KEY = "ca.pem", "ca.key"
CERTIFICATE, KEY = "cert.pem", "key.pem"
SCHEME = "parse-dfl://"

KEY_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
"""Every use that a certificate can allow its key."""


def is_name(text: str) -> bool:
    """Return whether ``text`` may name a federation or an agent.

    It is a part of file names, of certificates and of the network's keys, so it holds at most 64
    of letters, digits and ``_ + . -``, the first a letter, a digit or ``_``; or ``-u``, with which
    the key of a modality may begin (:mod:`parse_dfl.text`).
    """
    return bool(_NAME.fullmatch(text))


def check_name(what: str, text: str) -> str:
    """Return ``text`` if it may name ``what`` (``agent``, ``federation``).

    Raises:
        ConfigError: it may not.
    """
    if not is_name(text):
        raise ConfigError(
            f"{text!r} cannot name the {what}; use at most 64 letters, digits and _ + . -, "
            "the first a letter, a digit or _, such as 'acc-0'"
        )
    return text


def is_address(host: str) -> bool:
    """Return whether ``host`` is an IP address and not a name.

    Raises:
        ConfigError: it is neither.
    """
    try:
        ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host):
            raise ConfigError(
                f"{host!r} is neither an IP address nor a host name; "
                "write it without port or scheme, such as 'site-a.example.org' or '10.0.0.7'"
            ) from None
        return False
    return True


def create_ca(folder: Path, *, federation: str, days: int) -> None:
    """Write a new authority, ``ca.pem`` and ``ca.key``, into ``folder``.

    Raises:
        ConfigError: the federation's name or the number of days cannot be used.
        OutputError: there is an authority already, or the folder cannot be written to.
    """
    check_name("federation", federation)
    if (folder / CA_KEY).exists():
        raise OutputError(
            f"{folder / CA_KEY} exists; a new authority would shut out all who hold certificates "
            "of the old one: name another folder"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{federation} CA", federation)
    usage = {"key_cert_sign", "crl_sign"}
    builder = (
        _builder(name, name, key.public_key(), until=_now() + _validity(days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(usage), critical=True)
    )
    _make(folder)
    write_atomically(folder / CA_KEY, _private(key), mode=SECRET)
    write_atomically(folder / CA_CERTIFICATE, _public(builder.sign(key, hashes.SHA256())))


def issue(folder: Path, name: str, *, hosts: Sequence[str], days: int, out: Path) -> Path:
    """Issue the agent ``name`` a key and a certificate by the authority in ``folder``.

    Writes ``OUT/NAME/`` with ``cert.pem``, ``key.pem`` and ``ca.pem``, and returns it.  To rotate,
    issue again: the files are replaced, and the old certificate is valid until it expires.  No
    certificate outlives the authority's.

    Args:
        folder: where :func:`create_ca` wrote.
        name: the agent's name.
        hosts: host names and IP addresses that others connect to it by.
        days: how long it is valid.
        out: the folder that the agent's own is made in.

    Raises:
        ConfigError: the name, a host or the number of days cannot be used.
        IdentityError: there is no authority in ``folder``, or it has expired.
        OutputError: the files cannot be written.
    """
    check_name("agent", name)
    validity, now = _validity(days), _now()
    authority, key = _read_ca(folder)
    if authority.not_valid_after_utc <= now:
        raise IdentityError(
            f"the authority in {folder} expired on {authority.not_valid_after_utc:%Y-%m-%d}; "
            f"make a new one in another folder: {command('cert', 'ca')}"
        )
    agent_key = ec.generate_private_key(ec.SECP256R1())
    federation = federation_of(authority)
    until = min(now + validity, authority.not_valid_after_utc)
    usage = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    builder = (
        _builder(_name(name, federation), authority.subject, agent_key.public_key(), until=until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage({"digital_signature"}), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(_names(federation, name, hosts), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    issued = out / name
    _make(issued)
    write_atomically(issued / CA_CERTIFICATE, _public(authority))
    write_atomically(issued / KEY, _private(agent_key), mode=SECRET)
    write_atomically(issued / CERTIFICATE, _public(builder.sign(key, hashes.SHA256())))
    return issued


def read_certificate(path: Path) -> x509.Certificate:
    """Read the certificate in a PEM file.

    Raises:
        IdentityError: the file is missing, cannot be read, or holds no certificate.
    """
    try:
        return x509.load_pem_x509_certificate(read(path))
    except ValueError as error:
        raise IdentityError(f"{path} holds no certificate in PEM format") from error


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the private key in a PEM file.

    Raises:
        IdentityError: the file is missing, cannot be read, or holds no P-256 key.
    """
    try:
        key = serialization.load_pem_private_key(read(path), password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is locked by a password
        raise IdentityError(f"{path} holds no unlocked private key in PEM format") from error
    if not (isinstance(key, ec.EllipticCurvePrivateKey) and is_p256(key.public_key())):
        raise IdentityError(f"{path} holds a key of another kind; P-256 is used")
    return key


def read(path: Path) -> bytes:
    """Read a file.

    Raises:
        IdentityError: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise IdentityError(f"cannot read {path}: {error.strerror or error}") from error


def is_p256(key: object) -> bool:
    """Return whether a public key is of the one kind that is used."""
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def federation_of(certificate: x509.Certificate) -> str:
    """Return the federation that a certificate belongs to, "" if it names none."""
    attributes = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(attributes[0].value) if attributes else ""


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses that a certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def _read_ca(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if not (folder / CA_KEY).exists():
        raise IdentityError(
            f"{folder} holds no {CA_KEY}; make an authority first: "
            f"{command('cert', 'ca', '--federation', 'NAME', '--out', str(folder))}"
        )
    certificate, key = read_certificate(folder / CA_CERTIFICATE), read_key(folder / CA_KEY)
    if certificate.public_key() != key.public_key():
        raise IdentityError(f"{CA_CERTIFICATE} and {CA_KEY} in {folder} are not of one another")
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - CLOCK_SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _names(federation: str, agent: str, hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    listed: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(f"{SCHEME}{federation}/{agent}")
    ]
    for host in hosts:
        numeric = is_address(host)
        listed.append(x509.IPAddress(ip_address(host)) if numeric else x509.DNSName(host))
    return x509.SubjectAlternativeName(listed)


def _name(common: str, federation: str) -> x509.Name:
    """Return a name whose common name is the agent's: transports control access by it."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _key_usage(allowed: set[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in allowed for use in KEY_USES})


def _validity(days: int) -> timedelta:
    if not 1 <= days <= 36500:
        raise ConfigError(f"a certificate is valid for 1 to 36500 days, not {days}")
    return timedelta(days=days)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
