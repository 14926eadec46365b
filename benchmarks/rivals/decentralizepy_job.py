"""decentralizepy: a process an agent, which exchange over TCP on this machine.

It uses all cores whatever ``--threads`` says; a round is the time between two starts of training
at the first agent, who waits for its neighbours every round.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from decentralizepy.datasets.Data import Data
from decentralizepy.datasets.Dataset import Dataset
from decentralizepy.graphs.Graph import Graph
from decentralizepy.mappings.Linear import Linear
from decentralizepy.models.Model import Model
from decentralizepy.node.DPSGDNode import DPSGDNode
from decentralizepy.training.Training import Training
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.rivals.job import BATCH, LR, WARM_UP_ROUNDS, RivalJob, adapter

NEVER = 1 << 30
HERE = "benchmarks.rivals.decentralizepy_job"
PORT = 20_000
JOB = "BENCHMARK_RIVAL_JOB"
"""The environment variable that tells the processes their job: the package builds the network and
the data set from the names of their classes alone."""


class Samples(Dataset):
    """The samples of the process's own agent."""

    def get_trainset(self, batch_size: int, shuffle: bool) -> DataLoader[Any]:
        """A loader over them."""
        return DataLoader(Data(*_job().samples(self.uid)), batch_size=batch_size, shuffle=shuffle)

    def get_testset(self) -> None:
        """None: nobody evaluates."""


class Mlp(Model):
    """The job's network."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = _job().network()

    def forward(self, input: Tensor) -> Tensor:
        """The logits."""
        return self.layers(input)


class TimedTraining(Training):
    """Notes when each round's training begins."""

    def train(self, dataset: Dataset) -> None:
        """As the package's, and the time."""
        with (Path(self.log_dir) / f"{self.rank}.times").open("a") as file:
            file.write(f"{time.perf_counter()}\n")
        super().train(dataset)


def _job() -> RivalJob:
    return RivalJob(**json.loads(os.environ[JOB]))


def seconds_per_round(job: RivalJob) -> float:
    """Run all processes to their end and read the first one's times."""
    os.environ[JOB] = json.dumps(vars(job))
    graph = Graph(job.agents)
    graph.adj_list = [
        {(agent - 1) % job.agents, (agent + 1) % job.agents} for agent in range(job.agents)
    ]
    with tempfile.TemporaryDirectory() as folder:
        addresses = Path(folder) / "addresses.json"
        addresses.write_text('{"0": "127.0.0.1"}')
        processes = [
            multiprocessing.Process(
                target=DPSGDNode,
                args=(rank, 0, Linear(1, job.agents), graph, _settings(addresses)),
                kwargs={
                    "iterations": WARM_UP_ROUNDS + job.rounds + 1,
                    "log_dir": folder,
                    "weights_store_dir": folder,
                    "log_level": logging.ERROR,
                    "test_after": NEVER,
                    "train_evaluate_after": NEVER,
                    "reset_optimizer": 0,
                },
            )
            for rank in range(job.agents)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            sys.exit(1)
        begins = [float(line) for line in (Path(folder) / "0.times").read_text().split()]
    return (begins[-1] - begins[WARM_UP_ROUNDS]) / job.rounds


def _settings(addresses: Path) -> dict[str, dict[str, Any]]:
    return {
        "DATASET": {"dataset_package": HERE, "dataset_class": "Samples", "model_class": "Mlp"},
        "OPTIMIZER_PARAMS": {
            "optimizer_package": "torch.optim",
            "optimizer_class": "SGD",
            "lr": LR,
        },
        "TRAIN_PARAMS": {
            "training_package": HERE,
            "training_class": "TimedTraining",
            "rounds": 1,
            "full_epochs": True,
            "batch_size": BATCH,
            "shuffle": True,
            "loss_package": "torch.nn",
            "loss_class": "CrossEntropyLoss",
        },
        "COMMUNICATION": {
            "comm_package": "decentralizepy.communication.TCP",
            "comm_class": "TCP",
            "addresses_filepath": str(addresses),
            "offset": PORT,
        },
        "SHARING": {
            "sharing_package": "decentralizepy.sharing.Sharing",
            "sharing_class": "Sharing",
        },
    }


if __name__ == "__main__":
    adapter(seconds_per_round)
