"""The agents of a run: the mix that was asked for, or the one that data of two modalities get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from parse_dfl.agents import AgentMix, parse_mix
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.safe_names import as_given

AGENTS_PER_SET = 5


def mix_for(
    agents: str | None,
    modalities: Iterable[str],
    ignored: Mapping[str, str] = MappingProxyType({}),
) -> AgentMix:
    """The mix ``agents``, or with None ``a=5,b=5,a+b=5`` for data of two modalities a and b.

    ``ignored`` is what else the data hold, and why it is no modality, for messages.

    Raises:
        ConfigError: the mix is malformed, names a modality that the data lack, or is missing
            for data that do not have exactly two modalities.
    """
    names = sorted(modalities)
    if agents is None:
        return parse_mix(_default(names, ignored))
    mix = parse_mix(agents)
    for name in mix.modalities:
        if name not in names:
            raise unknown("modality", name, names)
    return mix


def _default(names: list[str], ignored: Mapping[str, str]) -> str:
    sets = [*names, "+".join(names)] if len(names) > 1 else names
    text = ",".join(f"{owned}={AGENTS_PER_SET}" for owned in sets)
    if len(names) != 2:
        told = "; ".join(f"{name} is ignored ({why})" for name, why in ignored.items())
        raise ConfigError(
            f"no agent mix is given, and the data have {len(names)} modalities "
            f"({', '.join(names)}); write one, such as --agents {as_given(_quoted(text))}"
            f"{f'; {told}' if told else ''}"
        )
    return text


def _quoted(text: str) -> str:
    """For a shell, where a name holds more than letters."""
    return f'"{text}"' if as_given(text) != text else text
