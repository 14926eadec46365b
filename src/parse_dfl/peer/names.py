"""Names that travel: of federations, agents and hosts."""

from __future__ import annotations

import re
from ipaddress import ip_address

from parse_dfl.errors import ConfigError

_NAME = re.compile(r"(?=.{1,64}$)(?:[A-Za-z0-9_]|-u)[A-Za-z0-9_+.-]*")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")


def is_name(text: str) -> bool:
    """Whether ``text`` may name a federation or an agent.

    It is a part of file names, of certificates and of the network's keys, so it holds at most 64
    of letters, digits and ``_ + . -``, the first a letter, a digit or ``_``; or ``-u``, with which
    the key of a modality may begin (:mod:`parse_dfl.safe_names`).
    """
    return bool(_NAME.fullmatch(text))


def check_name(what: str, text: str) -> str:
    """``text`` itself, where it may name ``what`` (``agent``, ``federation``).

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
    """Whether ``host`` is an IP address and not a name.

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
