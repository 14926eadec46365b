"""``split = "auto"``: widths of the slices in proportion to the bits that the modalities tell.

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

import hashlib
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

Split = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The proposed split, in 24ths, and each pair's decomposition (``a,b`` → as ``pid --out``)."""

    split: Split
    pairs: Mapping[str, Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """As in ``summary.json``."""
        return {"ratios": list(self.split), "pairs": dict(self.pairs)}


def propose_split(data: MultimodalData, shards: Sequence[AgentData]) -> Proposal:
    """The split for the agents of one federation and their training samples.

    Raises:
        ConfigError: no agent owns two modalities.
        DataError: the agents that own two have too few samples to estimate anything.
    """
    pools = _pools(shards)
    if not pools:
        raise ConfigError(
            "split auto needs agents that own two modalities, to tell what these have in common; "
            "give ratios, such as --split 1,1,1"
        )
    key = _key(data, pools)
    if key not in _known:
        found = {",".join(pair): _decompose(data, pair, pool) for pair, pool in pools.items()}
        _known[key] = Proposal(split=split_of([one["bits"] for one in found.values()]), pairs=found)
    return _known[key]


_known: dict[str, Proposal] = {}
"""Proposals by what they are made of: a comparison asks for the same again with every method."""


def split_of(bits: Sequence[Mapping[str, Any]]) -> Split:
    """The split for the decompositions of all pairs, each as in ``parse-dfl pid --out``."""
    means = [
        float(np.mean([one["redundant"] for one in bits])),
        float(np.mean([sum(one["unique"].values()) / 2 for one in bits])),
        float(np.mean([one["synergistic"] for one in bits])),
    ]
    total = sum(means)
    free = 1 - 3 * LEAST_SHARE
    shares = [LEAST_SHARE + free * (each / total if total > 0 else 1 / 3) for each in means]
    redundant, unique, synergistic = (float(round(share * GRAIN)) for share in shares)
    return redundant, unique, synergistic


def _pools(shards: Sequence[AgentData]) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Pair of modalities → the samples of the agents that own both."""
    owned: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
    for shard in shards:
        for pair in pairs(shard.agent.modalities):
            owned.setdefault(pair, []).append(shard.indices)
    return {pair: np.unique(np.concatenate(parts)) for pair, parts in sorted(owned.items())}


def _decompose(
    data: MultimodalData, pair: tuple[str, str], pool: NDArray[np.int64]
) -> dict[str, Any]:
    from parse_dfl.analysis.pid import estimate

    chosen = np.random.default_rng(0).permutation(pool)[:MOST_SAMPLES]
    first, second = (data.modalities[name][chosen] for name in pair)
    groups = None if data.subject is None else data.subject[chosen]
    span = reach(data)
    try:
        found = estimate(
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
    return found.to_dict()


def _key(data: MultimodalData, pools: Mapping[tuple[str, str], NDArray[np.int64]]) -> str:
    told = hashlib.blake2b(repr((data.name, data.samples, sorted(pools))).encode())
    for pair, pool in pools.items():
        told.update(pool.tobytes() + data.label[pool].tobytes())
        for name in pair:
            told.update(np.ascontiguousarray(data.modalities[name][pool[:64]]).tobytes())
    return told.hexdigest()
