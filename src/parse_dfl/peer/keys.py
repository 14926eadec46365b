"""Where on the network things are found: the keys of a federation.

    FEDERATION/MODALITY/AGENT/CARD           alive: a liveliness token, nothing is sent there
    FEDERATION/slices/TO/FROM/BRANCH         a branch's message of one agent to a neighbour
    FEDERATION/again/FROM/TO/BRANCH/ROUND    a question: what you sent me then, please
    FEDERATION/status/AGENT                  a question: how are you?

A branch is three parts (modality/component/signature).  Messages are addressed, so that a
neighbour receives exactly what it asked for, also where overlays change every round.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """The keys of one federation."""

    federation: str

    def alive(self, modality: str, agent: str, card: str) -> str:
        """The token of one of an agent's modalities; ``card`` says what else the agent has."""
        return f"{self.federation}/{modality}/{agent}/{card}"

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
