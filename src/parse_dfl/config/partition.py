"""Declare how training samples are dealt to agents, and how many each has.

:mod:`parse_dfl.data.partition` deals by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from parse_dfl.agents import ModalitySet, key, modality_set
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.settings import Settings, setting
from parse_dfl.text import real, whole
from parse_dfl.text_form import TextForm, number_text

LEAST_ALPHA, MOST_ALPHA = 1e-300, 1e9
"""Beyond them draws from the Dirichlet distribution underflow, or are all alike."""

MOST_SAMPLES = 10**9
"""Sums over a million agents still fit an int64."""


class Partition(TextForm, Settings):
    """A rule that deals the training samples to the agents."""

    example: ClassVar[str] = "Dirichlet(0.3)"

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read ``iid``, ``dirichlet:ALPHA`` or ``subject``.

        Raises:
            ConfigError: the rule is unknown, or the concentration is none.
        """
        name, _, argument = text.partition(":")
        if name == Dirichlet.keyword:
            made: Partition = Dirichlet(_alpha(text, argument))
        elif text in (IID.keyword, BySubject.keyword):
            made = IID() if text == IID.keyword else BySubject()
        else:
            raise unknown("partition", text, (IID.keyword, "dirichlet:0.3", BySubject.keyword))
        assert isinstance(made, cls)
        return made

    def __str__(self) -> str:
        return self.keyword


class IID(Partition):
    """Deal disjoint random samples, as many to each agent."""

    keyword: ClassVar[str] = "iid"


class Dirichlet(Partition, kw_only=False):
    """Draw each agent's label distribution from a symmetric Dirichlet of concentration ``alpha``.

    The smaller ``alpha``, the fewer classes an agent has (Hsu, Qi, Brown, arXiv 1909.06335).
    """

    keyword: ClassVar[str] = "dirichlet"
    alpha: float = setting(0.3, at_least=LEAST_ALPHA, at_most=MOST_ALPHA)

    def __str__(self) -> str:
        return f"{self.keyword}:{number_text(self.alpha)}"


class BySubject(Partition):
    """Deal whole subjects round-robin, as natural clients; the data must name them."""

    keyword: ClassVar[str] = "subject"


def _alpha(text: str, argument: str) -> float:
    alpha = real(argument)
    if alpha is None or not LEAST_ALPHA <= alpha <= MOST_ALPHA:
        raise ConfigError(
            f"partition {text!r} needs a concentration above 0 ({LEAST_ALPHA:g} to "
            f"{MOST_ALPHA:g}), such as dirichlet:0.3"
        )
    return alpha


@dataclass(frozen=True)
class SampleCounts(TextForm):
    """Training samples of each agent: ``64``, a range ``16..128``, or either by modality set.

    ``bounds`` are (modality set, least, most), with one entry of no set for all agents alike.
    """

    example: ClassVar[str] = "64, (16, 128) or {'acc': 64, 'acc+gyro': (16, 32)}"
    bounds: tuple[tuple[ModalitySet | None, int, int], ...]

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read ``64``, ``16..128`` or ``acc=64,acc+gyro=16..32``.

        Raises:
            ConfigError: it is none of these, a count is below one, or a set is named twice.
        """
        if "=" not in text:
            return cls(((None, *_bounds(text, text)),))
        bounds: dict[ModalitySet | None, tuple[int, int]] = {}
        for part in text.split(","):
            names, equals, size = part.partition("=")
            if not equals:
                raise _unreadable(text)
            modalities = modality_set(names)
            if modalities in bounds:
                raise ConfigError(
                    f"samples per agent {text!r} names {key(modalities)!r} twice; name it once"
                )
            bounds[modalities] = _bounds(size, text)
        return cls(tuple((modalities, *pair) for modalities, pair in bounds.items()))

    @classmethod
    def from_object(cls, value: object) -> Self | None:
        """Return what ``64``, ``(16, 128)`` or a mapping of either by modality set stands for."""
        text = _text(value)
        return None if text is None else cls.from_string(text)

    def __str__(self) -> str:
        parts = []
        for modalities, low, high in self.bounds:
            size = str(low) if low == high else f"{low}..{high}"
            parts.append(size if modalities is None else f"{key(modalities)}={size}")
        return ",".join(parts)


def _text(value: Any) -> str | None:
    if isinstance(value, Mapping):
        parts = {
            names: size if isinstance(size, str) else _text(size) for names, size in value.items()
        }
        return None if None in parts.values() else ",".join(f"{k}={v}" for k, v in parts.items())
    if isinstance(value, tuple) and len(value) == 2:
        low, high = map(_text, value)
        return None if low is None or high is None else f"{low}..{high}"
    if hasattr(value, "item"):  # a number of numpy
        value = value.item()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _bounds(size: str, text: str) -> tuple[int, int]:
    """Return ``"64"`` as (64, 64), ``"16..128"`` as (16, 128)."""
    first, dots, last = size.strip().partition("..")
    low = whole(first)
    high = whole(last) if dots else low
    if low is None or high is None:
        raise _unreadable(text)
    if not 1 <= low <= high <= MOST_SAMPLES:
        raise ConfigError(
            f"samples per agent {text!r} must be 1 or more, at most {MOST_SAMPLES}, the smaller "
            "bound first"
        )
    return low, high


def _unreadable(text: str) -> ConfigError:
    return ConfigError(
        f"cannot read samples per agent {text!r}; write 64, a range like 16..128, or either per "
        "modality set like acc=64,acc+gyro=32"
    )
