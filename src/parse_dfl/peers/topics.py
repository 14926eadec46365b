"""Topics on the network: where a federation's messages are found, and names that may stand there.

Where on the network things are found: the keys of a federation.

    FEDERATION/MODALITY/AGENT/CARD           alive: a liveliness token, nothing is sent there
    FEDERATION/slices/TO/FROM/BRANCH         a branch's message of one agent to a neighbour
    FEDERATION/again/FROM/TO/BRANCH/ROUND    a question: what you sent me then, please
    FEDERATION/status/AGENT                  a question: how are you?

A branch is three parts (modality/component/signature).  Messages are addressed, so that a
neighbour receives exactly what it asked for, also where overlays change every round.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from parse_dfl.errors import ConfigError

_NAME = re.compile(r"(?=.{1,64}$)(?:[A-Za-z0-9_]|-u)[A-Za-z0-9_+.-]*")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")


def is_name(text: str) -> bool:
    """Whether ``text`` may name a federation or an agent.

    It is a part of file names, of certificates and of the network's keys, so it holds at most 64
    of letters, digits and ``_ + . -``, the first a letter, a digit or ``_``; or ``-u``, with which
    the key of a modality may begin (:mod:`parse_dfl.text`).
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


@dataclass(frozen=True)
class Topics:
    """The keys of one federation."""

    federation: str

    def alive(self, modality: str, agent: str, info: str) -> str:
        """The token of one of an agent's modalities; ``info`` says what else the agent has."""
        return f"{self.federation}/{modality}/{agent}/{info}"

    @property
    def everybody(self) -> str:
        """All tokens."""
        return f"{self.federation}/*/*/*"

    def slice(self, *, to: str, sender: str, branch: str) -> str:
        """Where ``sender`` puts its ``branch`` for ``to``."""
        return f"{self.federation}/slices/{to}/{sender}/{branch}"

    def again(self, *, sender: str, to: str, branch: str, round: int) -> str:
        """Where ``to`` asks ``sender`` for what it may have missed."""
        return f"{self.federation}/again/{sender}/{to}/{branch}/{round}"

    def asked_again(self, agent: str) -> str:
        """All that may be asked of an agent."""
        return f"{self.federation}/again/{agent}/**"

    def status(self, agent: str = "*") -> str:
        """Where an agent, or everybody, is asked how it is."""
        return f"{self.federation}/status/{agent}"

    @staticmethod
    def sender(key: str) -> tuple[str, str]:
        """Sender and branch of a message that came under a key of a slice or of a question."""
        _, word, first, second, *branch = key.split("/")
        return first if word == "again" else second, "/".join(branch[:3])

    @staticmethod
    def asked_round(key: str) -> int | None:
        """The round that a message answers the question for; None: it is no answer."""
        _, word, *_, last = key.split("/")
        return int(last) if word == "again" else None

    @staticmethod
    def question(key: str) -> tuple[str, str, int]:
        """Who asks again, for which branch, of which round.

        Raises:
            ValueError: it is no such question.
        """
        _, _, _, to, *branch, round = key.split("/")
        return to, "/".join(branch), int(round)
