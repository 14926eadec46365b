"""Agree among the owners of a modality on its standardisation, before the first round.

Each sums up its own training samples, how many entries, Σ x and Σ x² per feature or channel, and
averages these sums with its neighbours, on the overlay of the modality, with Metropolis weights
(:func:`merge_rows` does so about the means, where no digit is lost):

    s_i ← Σ_j W_ij s_j,    :data:`STEPS` times

A ratio of two averages is the ratio of the sums, so that where gossip has come to its end everybody
has the mean and scale of the union of their samples, weighted by how many each has.  On an overlay
that mixes slowly an agent is left with those of its neighbourhood.  1 + 2F numbers cross a link a
step: in all about as many bytes as the branches of a single round.

Standardised by its own skewed samples, one and the same sample looks different to every agent, and
the average of their encoders fits none.  Averaging by push-sum of weights and values: Kempe, Dobra,
Gehrke, "Gossip-Based Computation of Aggregate Information", FOCS 2003.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.standardise import Moments, Standardiser
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.engine.gossip import BYTES_PER_NUMBER, Payload
from parse_dfl.overlays.mixing_matrix import MixingMatrix, metropolis
from parse_dfl.overlays.topologies import Topology

STEPS = 100
"""Gossip steps: on a ring of ten the disagreement falls to a millionth."""


def agree(
    data: MultimodalData, agent_data: Sequence[AgentData], topology: Topology, steps: int = STEPS
) -> tuple[list[AgentData], Payload]:
    """Return ``agent_data`` with the agreed standardisers, and the payload that this took.

    Agents of different seeds agree on their own.  A modality that an agent gains later is
    standardised by its own samples.
    """
    agreed: list[dict[str, Standardiser]] = [{} for _ in agent_data]
    sent: dict[tuple[int, int], int] = {}
    for modality, owners in _owners(agent_data).items():
        moments = [
            Moments.of(data.modalities[modality][agent_data[i].indices], data.kinds[modality])
            for i in owners
        ]
        rows = np.stack([owned.row() for owned in moments])
        for seed in dict.fromkeys(agent_data[i].agent.seed for i in owners):
            members = np.array(
                [k for k, i in enumerate(owners) if agent_data[i].agent.seed == seed]
            )
            names = [agent_data[owners[k]].agent.name for k in members]
            rows[members], links = _gossip(rows[members], names, topology, steps, seed, modality)
            for (source, target), times in links.items():
                link = owners[members[source]], owners[members[target]]
                sent[link] = sent.get(link, 0) + times * rows.shape[1] * BYTES_PER_NUMBER
        for owner, own_moments, row in zip(owners, moments, rows, strict=True):
            agreed[owner][modality] = own_moments.standardiser(row)
    total = Payload(sum(sent.values()), len(sent), max(sent.values(), default=0))
    pairs = zip(agent_data, agreed, strict=True)
    return [replace(entry, standardisers=standardisers) for entry, standardisers in pairs], total


def _owners(agent_data: Sequence[AgentData]) -> dict[str, list[int]]:
    """Return the numbers of each modality's owners."""
    names = sorted({name for entry in agent_data for name in entry.agent.modalities})
    return {
        name: [i for i, entry in enumerate(agent_data) if name in entry.agent.modalities]
        for name in names
    }


def _gossip(
    rows: NDArray[np.float64],
    names: Sequence[str],
    topology: Topology,
    steps: int,
    seed: int,
    label: str,
) -> tuple[NDArray[np.float64], dict[tuple[int, int], int]]:
    """Return the rows after so many steps, and how often each directed link carried one."""
    links: dict[tuple[int, int], int] = {}
    mixing = None
    for step in range(1, steps + 1):
        if mixing is None or topology.time_varying:
            edges = topology.edges(names, round=step, seed=seed, label=label)
            mixing = metropolis(edges)
        rows = merge_rows(rows, mixing)
        for link in zip(mixing.source.tolist(), mixing.target.tolist(), strict=True):
            links[link] = links.get(link, 0) + 1
    return rows, links


def merge_rows(rows: NDArray[np.float64], mixing: MixingMatrix) -> NDArray[np.float64]:
    """Average the moments in ``rows``, shape=(n, 1 + 2F), with those of the neighbours.

    Equal to ``W @`` (count, Σ x, Σ x²) in exact arithmetic, but about the means, by the rule for
    merging parts of a sample (Chan, Golub, LeVeque, "Algorithms for Computing the Sample
    Variance", The American Statistician 37, 1983):

        n = Σ_j w_j n_j,   m = Σ_j w_j n_j m_j / n,   d = Σ_j w_j (d_j + n_j (m_j − m)²)
    """
    members = np.arange(mixing.size)
    source = np.concatenate([members, mixing.source])
    target = np.concatenate([members, mixing.target])
    weight = np.concatenate([mixing.self_weight, mixing.weight])[:, None]
    count, (mean, deviations) = rows[:, :1], np.split(rows[:, 1:], 2, axis=1)
    merged = np.zeros_like(rows)
    new_count, (new_mean, new_deviations) = merged[:, :1], np.split(merged[:, 1:], 2, axis=1)
    np.add.at(new_count, target, weight * count[source])
    # Taken about the own mean: what all have in common, as an offset, is never rounded.
    share = weight * count[source] / new_count[target]
    np.add.at(new_mean, target, share * (mean[source] - mean[target]))
    new_mean += mean
    apart = np.square(mean[source] - new_mean[target])
    np.add.at(new_deviations, target, weight * (deviations[source] + count[source] * apart))
    return merged
