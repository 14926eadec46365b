"""Propose the slice ratio for ``split = "auto"``: as the bits that the modalities tell.

The bits are those of the partial information decomposition of each pair of modalities about the
label (BATCH, :mod:`parse_dfl.analysis.pid`), estimated once, before training, on the training
samples of the agents that own both, pooled; no validation or test sample is looked at.  With b_R,
b_U and b_S the means over pairs of R, (U1 + U2)/2 and S (a modality's latent holds its own unique
slice only), a slice's share of the latent is

    share_k = LEAST_SHARE + (1 - 3 LEAST_SHARE) · b_k / (b_R + b_U + b_S)

rounded to 24ths.  The least share keeps a slice alive whose bits a few hundred samples did not
show.  Pooling is what a simulation can do; peers that keep their samples to themselves take the
numbers of a pilot, by ``--split R,U,S``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import pairs
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.splits import OverlappingWindows, reach
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.errors import ConfigError, DataError

LEAST_SHARE = 1 / 8
GRAIN = 24
MOST_SAMPLES = 2000
"""Pooled samples of a pair, a seeded draw: more only cost time."""

SliceRatio = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The proposed ratio, in 24ths, and each pair's decomposition (``a,b`` → as ``pid --out``)."""

    split: SliceRatio
    pairs: Mapping[str, Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return it as in ``summary.json``."""
        return {"ratios": list(self.split), "pairs": dict(self.pairs)}


def propose_split(data: MultimodalData, agent_data: Sequence[AgentData]) -> Proposal:
    """Propose the ratio for the agents of one federation and their training samples.

    Raises:
        ConfigError: no agent owns two modalities.
        DataError: the agents that own two have too few samples to estimate anything.
    """
    pools = _pools(agent_data)
    if not pools:
        raise ConfigError(
            "split auto needs agents that own two modalities, to tell what these have in common; "
            "give ratios, such as --split 1,1,1"
        )
    decompositions = {
        ",".join(pair): _decompose(data, pair, samples) for pair, samples in pools.items()
    }
    ratio = ratio_of([decomposition["bits"] for decomposition in decompositions.values()])
    return Proposal(split=ratio, pairs=decompositions)


def ratio_of(bits: Sequence[Mapping[str, Any]]) -> SliceRatio:
    """Return the ratio for the bits of all pairs, each as in ``parse-dfl pid --out``."""
    means = [
        float(np.mean([pair["redundant"] for pair in bits])),
        float(np.mean([sum(pair["unique"].values()) / 2 for pair in bits])),
        float(np.mean([pair["synergistic"] for pair in bits])),
    ]
    total = sum(means)
    free = 1 - 3 * LEAST_SHARE
    shares = [LEAST_SHARE + free * (mean / total if total > 0 else 1 / 3) for mean in means]
    redundant, unique, synergistic = (float(round(share * GRAIN)) for share in shares)
    return redundant, unique, synergistic


def _pools(agent_data: Sequence[AgentData]) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Return, by pair of modalities, the samples of the agents that own both."""
    pools: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
    for part in agent_data:
        for pair in pairs(part.agent.modalities):
            pools.setdefault(pair, []).append(part.indices)
    return {pair: np.unique(np.concatenate(parts)) for pair, parts in sorted(pools.items())}


def _decompose(
    data: MultimodalData, pair: tuple[str, str], pool: NDArray[np.int64]
) -> dict[str, Any]:
    from parse_dfl.analysis.pid import estimate

    chosen = np.random.default_rng(0).permutation(pool)[:MOST_SAMPLES]
    first, second = (data.modalities[name][chosen] for name in pair)
    groups = None if data.subject is None else data.subject[chosen]
    span = reach(data)
    try:
        decomposition = estimate(
            first,
            second,
            data.label[chosen],
            names=pair,
            groups=groups if groups is not None and len(np.unique(groups)) > 1 else None,
            windows=OverlappingWindows(position=chosen, reach=span) if span else None,
            bootstrap=0,
        )
    except DataError as reason:
        raise DataError(
            f"split auto: {reason} (the samples of the agents that own {pair[0]} and {pair[1]}); "
            "give ratios, such as --split 1,1,1"
        ) from reason
    return decomposition.to_dict()
