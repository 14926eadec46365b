"""Define Sheaf-DMFL: encoders by modality, heads of all agents coupled by a learned sheaf.

Each directed edge i → j has a restriction map P_ij from i's head parameters to the edge's space.
Heads move so that both ends agree there, and the maps learn where agreement is possible:
θ_i ← θ_i − αλ Σ_j P_ijᵀ (P_ij θ_i − P_ji θ_j),  P_ij ← P_ij − ηλ (P_ij θ_i − P_ji θ_j) θ_iᵀ.

Paper: "Sheaf-DMFL", arXiv 2506.22374 (2025).
"""

from __future__ import annotations

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch, stable_hash
from parse_dfl.config.methods import SheafDMFL
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import (
    EDGE,
    Aggregation,
    BranchView,
    Messages,
    Method,
    Stage,
    by_modality,
)
from parse_dfl.networks.baselines import MonolithicNetwork
from parse_dfl.networks.losses import joint_loss
from parse_dfl.overlays.mixing_matrix import MixingMatrix

PROJECTION = f"{EDGE}projection"


class SheafCoupling(Aggregation):
    """One step of the sheaf diffusion; a projection of ``edge_width`` numbers crosses an edge."""

    def __init__(self, options: SheafDMFL) -> None:
        self.options = options

    def numbers_sent(self, columns: int) -> int:
        """Return the width of a head's projection."""
        return min(self.options.edge_width, columns)

    def send(self, rows: BranchView, mixing: MixingMatrix) -> Messages:
        """Send P_ij θ_i over every directed edge i → j."""
        source, _, _ = mixing.edge_tensors(rows.params)
        maps = self._maps(rows, self._map_indices(rows, mixing))
        return {PROJECTION: (maps @ rows.params[source].unsqueeze(2)).squeeze(2)}

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> Tensor:
        """Step the heads towards agreement, then the maps."""
        source, _, _ = mixing.edge_tensors(rows.params)
        indices, theta = self._map_indices(rows, mixing), rows.params
        maps = self._maps(rows, indices)
        projection = sent[PROJECTION]
        residual = projection - projection[_reverse(mixing).to(source.device)]
        pull = (maps.transpose(1, 2) @ residual.unsqueeze(2)).squeeze(2)
        moved = theta.index_add(0, source, pull, alpha=-self.options.head_step)
        step = residual.unsqueeze(2) * theta[source].unsqueeze(1)
        stepped = maps - self.options.map_step * step
        rows.memory["maps"] = rows.memory["maps"].index_copy(0, indices, stepped)
        return moved

    def _maps(self, rows: BranchView, indices: Tensor) -> Tensor:
        return rows.memory["maps"][indices]

    def _map_indices(self, rows: BranchView, mixing: MixingMatrix) -> Tensor:
        """Return the rows of the mixing's edges in ``memory["maps"]``, shape=(E,).

        An edge keeps its map while one of its ends is absent; a new one gets the initial map.
        """
        ids = [stable_hash(agent.seed, agent.name) for agent in rows.agents]
        edges = [(ids[i], ids[j]) for i, j in zip(mixing.source, mixing.target, strict=True)]
        memory = rows.memory
        stored = memory["edges"].tolist() if "edges" in memory else []
        index = {tuple(edge): row for row, edge in enumerate(stored)}
        new = [edge for edge in edges if edge not in index]
        if new:
            fresh = _orthonormal(self.numbers_sent(rows.params.shape[1]), rows.params)
            maps = fresh.expand(len(new), *fresh.shape).clone()
            memory["maps"] = torch.cat([memory["maps"], maps]) if stored else maps
            memory["edges"] = torch.tensor([*index, *new])
            index |= {edge: len(index) + row for row, edge in enumerate(new)}
        return torch.tensor([index[edge] for edge in edges], device=rows.params.device)


def _orthonormal(width: int, like: Tensor) -> Tensor:
    """Return the map that every edge starts from: random orthonormal rows, shape=(width, P)."""
    generator = torch.Generator().manual_seed(stable_hash("sheaf", width, like.shape[1]))
    random = torch.randn(like.shape[1], width, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(random).Q.T.to(like)


def _reverse(mixing: MixingMatrix) -> Tensor:
    """Return for each directed edge i → j the index of j → i."""
    index = {(i, j): e for e, (i, j) in enumerate(zip(mixing.source, mixing.target, strict=True))}
    try:
        back = [index[j, i] for i, j in zip(mixing.source, mixing.target, strict=True)]
    except KeyError:
        raise ConfigError(
            "sheaf-dmfl needs an undirected topology (both ends of an edge have a map); "
            "one-peer exponential is directed: use ring, chordal-ring or exponential"
        ) from None
    return torch.tensor(back, dtype=torch.int64)


def _rule(branch: Branch, agent: AgentSpec) -> str | None:
    return "heads" if branch.component == "head" else by_modality(branch, agent)


def sheaf_dmfl(options: SheafDMFL) -> Method:
    """Average encoders by modality, couple heads by the sheaf; fusion stays local."""
    stage = Stage(objective=joint_loss, sharing=_rule, exchanges={"head": SheafCoupling(options)})
    return Method(name="sheaf-dmfl", network=MonolithicNetwork, stages=(stage,), lr=0.02)
