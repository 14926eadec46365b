"""gossipy: its all-to-all simulator, which is D-SGD, with a round of one time step."""

from __future__ import annotations

import logging
import time

import numpy as np
import torch
from gossipy.core import (
    AntiEntropyProtocol,
    CreateModelMode,
    MetropolisHastingsMixing,
    StaticP2PNetwork,
)
from gossipy.data import DataDispatcher
from gossipy.data.handler import ClassificationDataHandler
from gossipy.model import TorchModel
from gossipy.model.handler import WeightedTMH
from gossipy.node import All2AllGossipNode
from gossipy.simul import All2AllGossipSimulator
from torch import Tensor
from torch.nn import CrossEntropyLoss

from benchmarks.rivals.job import BATCH, LR, WARM_UP_ROUNDS, RivalJob, adapter


class Mlp(TorchModel):
    """The job's network as gossipy wants it."""

    def __init__(self, job: RivalJob) -> None:
        super().__init__()
        self.layers = job.network()

    def init_weights(self) -> None:
        """As torch drew them."""

    def forward(self, input: Tensor) -> Tensor:
        """The logits."""
        return self.layers(input)


def seconds_per_round(job: RivalJob) -> float:
    """Of the simulator's loop; nodes without test samples are never evaluated."""
    logging.disable(logging.CRITICAL)
    adjacency = np.zeros((job.agents, job.agents))
    for first, second in job.ring():
        adjacency[first, second] = adjacency[second, first] = 1
    network = StaticP2PNetwork(job.agents, adjacency)
    nodes = {agent: _node(job, agent, network) for agent in range(job.agents)}
    nothing = DataDispatcher(
        ClassificationDataHandler(*job.samples(0), test_size=0.0), n=1, eval_on_user=False
    )
    simulator = All2AllGossipSimulator(nodes, nothing, delta=1, protocol=AntiEntropyProtocol.PUSH)
    simulator.init_nodes()
    mixing = MetropolisHastingsMixing(network)
    simulator.start(mixing, n_rounds=WARM_UP_ROUNDS)
    begin = time.perf_counter()
    simulator.start(mixing, n_rounds=job.rounds)
    return (time.perf_counter() - begin) / job.rounds


def _node(job: RivalJob, agent: int, network: StaticP2PNetwork) -> All2AllGossipNode:
    handler = WeightedTMH(
        net=Mlp(job),
        optimizer=torch.optim.SGD,
        optimizer_params={"lr": LR},
        criterion=CrossEntropyLoss(),
        local_epochs=1,
        batch_size=BATCH,
        create_model_mode=CreateModelMode.MERGE_UPDATE,
    )
    return All2AllGossipNode(agent, (job.samples(agent), None), 1, handler, network, sync=True)


if __name__ == "__main__":
    adapter(seconds_per_round)
