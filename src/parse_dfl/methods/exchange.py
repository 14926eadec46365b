"""What the owners of a branch send each other, and what they do with what arrives.

An exchange rule is two pure steps over rows.  In the simulator the rows are all owners of a
branch; in a peer they are its own row and those of its neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.overlays.mixing import Mixing

EDGE = "edge:"
"""Tensors under names that start so have a row per directed edge."""

Sent = Mapping[str, Tensor]
"""What leaves the rows: tensors of a row per owner, or (:data:`EDGE`) per directed edge of the
mixing."""


class Rows(Protocol):
    """A branch's rows as an exchange rule sees them.  P columns, n rows."""

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """The owner of each row."""
        ...

    @property
    def theta(self) -> Tensor:
        """Parameters after local training, shape=(n, P)."""
        ...

    @property
    def before(self) -> Tensor:
        """Parameters as the round began, shape=(n, P); kept if the rule ``needs_before``."""
        ...

    @property
    def memory(self) -> dict[str, Tensor]:
        """The rule's own tensors, kept between rounds and in checkpoints.

        ``edges``, shape=(E, 2), says whose they are: the stable hashes of a directed edge's sender
        and receiver.  All others have a row an edge.
        """
        ...

    @property
    def progress(self) -> float:
        """The share of all rounds that have begun, in [0, 1]."""
        ...

    def drift(self, component: str) -> Tensor:
        """How far each owner's branches of ``component`` went since the stage began.

        ‖θ − θ_start‖ per modality, in the order of the names, shape=(n, M); the stage must track
        this component.
        """
        ...


class Exchange(ABC):
    """An exchange rule."""

    needs_before: bool = False

    def floats(self, columns: int) -> int:
        """Numbers that cross a directed edge for a branch of ``columns`` parameters."""
        return columns

    @property
    def averages(self) -> bool:
        """Whether the exchange is exactly ``W @ θ``, which an engine may then compute in place."""
        return False

    @abstractmethod
    def send(self, rows: Rows, mixing: Mixing) -> Sent:
        """What each row sends."""

    @abstractmethod
    def receive(self, rows: Rows, sent: Sent, mixing: Mixing) -> Tensor:
        """The parameters after the exchange, shape=(n, P)."""


class Average(Exchange):
    """Gossip averaging, θ_i ← Σ_j W_ij θ_j: the rule of PARSE and of plain D-SGD."""

    @property
    def averages(self) -> bool:
        """True, but for a subclass that sends or receives something else."""
        own = type(self)
        return own.send is Average.send and own.receive is Average.receive

    def send(self, rows: Rows, mixing: Mixing) -> Sent:  # noqa: ARG002
        """The parameters."""
        return {"theta": rows.theta}

    def receive(self, rows: Rows, sent: Sent, mixing: Mixing) -> Tensor:  # noqa: ARG002
        """``W @ θ``."""
        return mixing.apply(sent["theta"])


AVERAGE = Average()
