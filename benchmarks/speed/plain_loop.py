"""A well-written plain loop over agents: what the simulator is measured against.

Every agent is an ordinary module with its own fused optimizer.  Minibatches of a round are gathered
at once; gossip averages neighbours' flattened parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from benchmarks.speed.jobs import CLASSES, Job
from benchmarks.speed.mlp import LR as SGD_LR
from benchmarks.speed.plain_networks import PLAIN, PlainMlp, PlainMonolithic, PlainParse
from parse_dfl.agents import Kind
from parse_dfl.data.standardise import LIMIT, fit

LR = 0.01


@dataclass
class PlainAgent:
    """One agent: its network, optimizer and samples."""

    network: PlainParse | PlainMonolithic | PlainMlp
    optimizer: torch.optim.Optimizer
    inputs: dict[str, Tensor]  # each shape=(S, *shape), channels first, standardised
    standardisation: dict[str, tuple[Tensor, Tensor]]  # mean and scale, broadcast to a sample
    label: Tensor  # shape=(S,)
    log_prior: Tensor  # shape=(C,)


class PlainLoop:
    """The same job as :meth:`~benchmarks.speed.jobs.Job.simulator`, one agent after another."""

    def __init__(self, job: Job) -> None:
        data = job.data()
        self._batches = (job.steps, job.training.batch_size)
        self._device = device = torch.device(job.device)
        self._modalities = {
            name: channels_first(torch.from_numpy(values).to(device), job.kind)
            for name, values in data.modalities.items()
        }
        self._label = label = torch.from_numpy(data.label).to(device)
        self.agents = []
        for shard in job.shards():
            rows = torch.from_numpy(shard.indices).to(device)
            counts = torch.bincount(label[rows], minlength=CLASSES) + 0.5
            own = {name: self._modalities[name][rows] for name in shard.agent.modalities}
            statistics = {
                name: self._statistics(data.modalities[name][shard.indices], job.kind)
                for name in own
            }
            network = PLAIN[job.method](job, shard.agent.modalities).to(device)
            self.agents.append(
                PlainAgent(
                    network,
                    _optimizer(job, network),
                    {name: standardised(x, *statistics[name]) for name, x in own.items()},
                    statistics,
                    label[rows],
                    (counts / counts.sum()).log(),
                )
            )
        self._rings = self._overlays()

    def _statistics(self, values: NDArray[Any], kind: Kind) -> tuple[Tensor, Tensor]:
        """Mean and scale as the simulator has them."""
        own = fit(values, kind)
        mean, scale = (
            channels_first(torch.from_numpy(part[None]).to(self._device, torch.float32), kind)[0]
            for part in (own.mean, own.scale)
        )
        return mean, scale

    def _overlays(self) -> list[list[list[nn.Parameter]]]:
        """Per overlay and member the parameters that it exchanges."""
        rings: dict[str, list[list[nn.Parameter]]] = {}
        for agent in self.agents:
            for label, modules in agent.network.overlays().items():
                own = [value for module in modules for value in module.parameters()]
                rings.setdefault(label, []).append(own)
        return list(rings.values())

    def step(self) -> None:
        """A round: local training of every agent, then gossip on every ring."""
        for agent in self.agents:
            self.train(agent)
        self._gossip()

    def train(self, agent: PlainAgent) -> None:
        """An agent's local steps of a round."""
        agent.network.train()
        order = self._order(len(agent.label))
        inputs = {name: values[order] for name, values in agent.inputs.items()}
        labels = agent.label[order]
        for step in range(len(order)):
            batch = {name: values[step] for name, values in inputs.items()}
            loss = agent.network.loss(batch, labels[step], agent.log_prior)
            agent.optimizer.zero_grad()
            loss.backward()
            agent.optimizer.step()

    def _order(self, samples: int) -> Tensor:
        """Sample numbers of the round's minibatches, shape=(steps, B): permutations in a row."""
        steps, batch = self._batches
        needed = steps * batch
        walks = [torch.randperm(samples, device=self._device) for _ in range(-(-needed // samples))]
        return torch.cat(walks)[:needed].view(steps, batch)

    @torch.no_grad()
    def _gossip(self) -> None:
        for members in self._rings:
            theta = torch.stack([parameters_to_vector(own) for own in members])
            mixed = (theta + theta.roll(1, 0) + theta.roll(-1, 0)) / 3
            for own, row in zip(members, mixed, strict=True):
                vector_to_parameters(row, own)

    @torch.no_grad()
    def evaluate(self, samples: Tensor) -> list[tuple[float, float]]:
        """Accuracy and loss of every agent, each on its own standardisation of the samples."""
        inputs = {name: values[samples] for name, values in self._modalities.items()}
        return [self._score(agent, inputs, self._label[samples]) for agent in self.agents]

    def _score(
        self, agent: PlainAgent, inputs: dict[str, Tensor], label: Tensor
    ) -> tuple[float, float]:
        agent.network.eval()
        own = {
            name: standardised(inputs[name], mean, scale)
            for name, (mean, scale) in agent.standardisation.items()
        }
        logits = agent.network(own)
        accuracy = (logits.argmax(-1) == label).float().mean()
        return float(accuracy), float(functional.cross_entropy(logits, label))


def _optimizer(job: Job, network: nn.Module) -> torch.optim.Optimizer:
    if job.training.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), lr=SGD_LR, fused=True)
    return torch.optim.Adam(network.parameters(), lr=LR, fused=True)


def standardised(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Standardised and clipped, as the simulator does."""
    return ((values - mean) / scale).clamp_(-LIMIT, LIMIT)


def channels_first(values: Tensor, kind: Kind) -> Tensor:
    """Samples as ``torch.nn``'s convolutions take them."""
    match kind:
        case Kind.VECTOR:
            return values
        case Kind.VIDEO:
            return values.unsqueeze(1)
    return values.movedim(-1, 1).contiguous()
