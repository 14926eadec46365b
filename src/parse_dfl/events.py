"""Changes of an agent's modalities while it trains, such as ``40:acc-0:+gyro``."""

from __future__ import annotations

from dataclasses import dataclass

from parse_dfl.errors import ConfigError
from parse_dfl.modalities import agent_key, modality_key
from parse_dfl.numerals import whole


@dataclass(frozen=True, kw_only=True)
class ModalityEvent:
    """Before round ``round`` (counted from 1) ``agent`` gains or loses ``modality``."""

    round: int
    agent: str
    modality: str
    gained: bool


def parse_event(text: str) -> ModalityEvent:
    """Read ``ROUND:AGENT:+MODALITY`` (gained) or ``ROUND:AGENT:-MODALITY`` (lost).

    Raises:
        ConfigError: the text is not of that form.
    """
    parts = text.split(":")
    if len(parts) == 3:
        number, agent, change = parts
        round = whole(number)
        if round is not None and round > 0 and agent and change[:1] in ("+", "-"):
            return ModalityEvent(
                round=round,
                agent=agent_key(agent),
                modality=modality_key(change[1:], within=text),
                gained=change[0] == "+",
            )
    raise ConfigError(
        f"{text!r} is no modality event; write ROUND:AGENT:+MODALITY or ROUND:AGENT:-MODALITY, "
        "such as '40:acc-0:+gyro', rounds counted from 1"
    )
