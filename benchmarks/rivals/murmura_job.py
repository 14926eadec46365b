"""murmura: all nodes in one process, one after another."""

from __future__ import annotations

import time

from murmura.aggregation.fedavg import FedAvgAggregator
from murmura.core.network import Network
from murmura.core.node import Node
from murmura.topology import create_topology
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.rivals.job import BATCH, LR, WARM_UP_ROUNDS, RivalJob, adapter

NEVER = 1 << 30


def seconds_per_round(job: RivalJob) -> float:
    """Of ``Network.train``, which never evaluates here."""
    nodes = [
        Node(
            node_id=agent,
            model=job.network(),
            train_loader=DataLoader(
                TensorDataset(*job.samples(agent)), batch_size=BATCH, shuffle=True
            ),
            aggregator=FedAvgAggregator(),
        )
        for agent in range(job.agents)
    ]
    network = Network(nodes, create_topology(topology_type="ring", num_nodes=job.agents))
    network.train(WARM_UP_ROUNDS, lr=LR, eval_every=NEVER)
    begin = time.perf_counter()
    network.train(job.rounds, lr=LR, eval_every=NEVER)
    return (time.perf_counter() - begin) / job.rounds


if __name__ == "__main__":
    adapter(seconds_per_round)
