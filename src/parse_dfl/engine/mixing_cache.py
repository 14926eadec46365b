"""The mixing of every branch: an overlay per label and seed, embedded into the branch's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.config import OverlayConfig
from parse_dfl.methods.base import Stage
from parse_dfl.overlays.graph import Edges
from parse_dfl.overlays.mixing_matrix import MixingMatrix, metropolis
from parse_dfl.overlays.topologies import Topology


@dataclass(frozen=True)
class OverlayKey:
    """One overlay: its label, the federation's seed and who belongs to it."""

    label: str
    seed: int
    members: tuple[str, ...]


class Owned(Protocol):
    """A branch and who owns it: its rows in a simulator, what a peer has heard of in a peer."""

    @property
    def branch(self) -> Branch:
        """What is owned."""
        ...

    @property
    def agents(self) -> Sequence[AgentSpec]:
        """The owners; places in this sequence are what overlays are told in."""
        ...


class MixingCache:
    """Computes overlays and keeps those that do not change from round to round."""

    def __init__(
        self,
        config: OverlayConfig,
        topology: Topology | None,
        samples: Mapping[tuple[int, str], int],
    ) -> None:
        self.topology = topology or Topology.of(config.topology)
        self._by_samples = config.by_samples
        self._samples = samples
        self._edges: dict[OverlayKey, Edges] = {}
        self._mixings: dict[tuple[Branch, int], MixingMatrix] = {}

    def mixing(self, rows: Owned, stage: Stage, stage_number: int, round: int) -> MixingMatrix:
        """The branch's mixing over all its rows in a round."""
        key = (rows.branch, stage_number)
        if key in self._mixings:
            return self._mixings[key]
        parts = []
        for overlay, index in self.overlays(rows, stage).items():
            edges = self.edges(overlay, round)
            counts = [self._samples[overlay.seed, name] for name in overlay.members]
            weights = np.array(counts) if self._by_samples else None
            parts.append((metropolis(edges, samples=weights), index))
        mixing = MixingMatrix.combine(parts, size=len(rows.agents))
        if not self.topology.time_varying:
            self._mixings[key] = mixing
        return mixing

    def overlays(self, rows: Owned, stage: Stage) -> dict[OverlayKey, NDArray[np.int64]]:
        """The overlays of a branch under the stage's sharing rule, each with its rows."""
        groups: dict[tuple[str, int], list[int]] = {}
        for row, agent in enumerate(rows.agents):
            label = stage.sharing(rows.branch, agent)
            if label is not None:
                groups.setdefault((label, agent.seed), []).append(row)
        return {
            OverlayKey(label, seed, tuple(rows.agents[row].name for row in own)): np.array(own)
            for (label, seed), own in groups.items()
        }

    def edges(self, overlay: OverlayKey, round: int) -> Edges:
        """The overlay's edges in a round."""
        if overlay in self._edges:
            return self._edges[overlay]
        edges = self.topology.edges(
            overlay.members, round=round, seed=overlay.seed, label=overlay.label
        )
        if not self.topology.time_varying:
            self._edges[overlay] = edges
        return edges

    def forget(self) -> None:
        """Compute all overlays anew: the agents or what they own has changed."""
        self._edges.clear()
        self._mixings.clear()
