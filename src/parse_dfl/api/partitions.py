"""Rules by which training samples are dealt to agents."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from parse_dfl.api.text import number
from parse_dfl.errors import ConfigError


@dataclass(frozen=True)
class Partition:
    """A rule that deals the training samples to the agents; ``str()`` gives its text form."""

    def __str__(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class IID(Partition):
    """Deal disjoint random samples, as many to each agent."""

    def __str__(self) -> str:
        return "iid"


@dataclass(frozen=True)
class Dirichlet(Partition):
    """Draw each agent's label distribution from a symmetric Dirichlet of concentration ``alpha``.

    The smaller ``alpha``, the fewer classes an agent has (Hsu, Qi, Brown, arXiv 1909.06335).
    """

    alpha: float = 0.3

    def __post_init__(self) -> None:
        alpha = self.alpha
        is_number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
        if not is_number or not isfinite(alpha) or alpha <= 0:
            raise ConfigError(f"alpha of Dirichlet must be a number above 0, not {alpha!r}")

    def __str__(self) -> str:
        return f"dirichlet:{number(self.alpha)}"


@dataclass(frozen=True)
class BySubject(Partition):
    """Deal whole subjects round-robin, as natural clients; the data must name them."""

    def __str__(self) -> str:
        return "subject"
