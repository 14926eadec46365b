"""The reference that the simulator is held against: one agent after another, nothing stacked.

Every agent is an ordinary network with an ordinary torch optimizer; every overlay is a dense
matrix filled by the formula.  Slow and obvious on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import networkx as nx
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from parse_dfl.data.standardise import fit
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.engine.neighbourhood import absent_agents
from parse_dfl.engine.sampler import BatchSampler, agent_key
from parse_dfl.engine.simulator import Simulator
from parse_dfl.networks.counter_rng import hash_tensor, use_rng
from parse_dfl.networks.network import Outputs
from parse_dfl.overlays.graph import order


class PlainAgent:
    """One agent with its samples, network and optimizer."""

    def __init__(self, shard: AgentData, like: Simulator) -> None:
        self.spec, self.size = shard.agent, len(shard.indices)
        data, dtype = like.trainer.data.source, like.trainer.data.dtype
        self.inputs = {}
        for name in self.spec.modalities:
            own = fit(data.modalities[name][shard.indices], data.kinds[name])
            raw, mean, scale = (
                torch.from_numpy(part).to(dtype)
                for part in (data.modalities[name][shard.indices], own.mean, own.scale)
            )
            self.inputs[name] = (raw - mean) / scale
        self.label = torch.from_numpy(data.label[shard.indices])
        counts = torch.bincount(self.label, minlength=data.classes).to(dtype) + 0.5
        self.log_prior = like.trainer.training.prior_correction * (counts / counts.sum()).log()
        self.batch = min(like.trainer.training.batch_size, self.size)
        self.network = like.trainer.method.network(like.trainer.network_spec, self.spec).to(dtype)
        for label, part in self.network.parts.items():
            part.load_state_dict(self.network.fresh(label, self.spec.seed).state_dict())
        self.optimizer = self._optimizer(like)
        self.encoders_at_stage_start: dict[str, Tensor] = {}
        self.last = {label: self.row(label) for label in self.network.parts}

    def _optimizer(self, like: Simulator) -> torch.optim.Optimizer:
        training = like.trainer.training
        groups = [
            {"params": list(part.parameters()), "branch": self.network.branches[label]}
            for label, part in self.network.parts.items()
        ]
        if training.optimizer == "sgd":
            return torch.optim.SGD(
                groups, lr=1, momentum=training.momentum, weight_decay=training.weight_decay
            )
        kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
        betas = (training.momentum, 0.999)
        optimizer = kind(groups, lr=1, betas=betas, weight_decay=training.weight_decay)
        for parameter in self.network.parameters():  # an absent agent may get moments before steps
            blank = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
            optimizer.state[parameter] = {"step": torch.tensor(0.0), **blank}
        return optimizer

    def train(self, like: Simulator, stage: int, round: int, steps: int, lr: float) -> None:
        """The local steps of a round."""
        batch_size = like.trainer.training.batch_size
        sampler = BatchSampler([self.spec], np.array([self.size]), batch_size)
        positions = torch.from_numpy(sampler.positions(round, steps)[:, 0])
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = lr * like.trainer.method.stages[stage].lr_scale(
                group["branch"], self.spec
            )
        for step in range(steps):
            chosen = positions[step]
            key = torch.tensor([agent_key(self.spec, "draws")])
            with use_rng(hash_tensor(key, torch.tensor([(round << 20) + step]))):
                outputs = self.network({name: x[chosen] for name, x in self.inputs.items()})
            self.optimizer.zero_grad()
            self.loss(like.trainer.method.name, stage, outputs, chosen).backward()
            for group in self.optimizer.param_groups:  # a branch takes a step as a whole
                if any(parameter.grad is not None for parameter in group["params"]):
                    for parameter in group["params"]:
                        if parameter.grad is None:
                            parameter.grad = torch.zeros_like(parameter)
            self.optimizer.step()

    def add_quasi_global_momentum(self, share: float) -> None:
        """Global momentum: on by a share of the way since the agent last began a round."""
        for label, before in self.last.items():
            now = self.row(label)
            self.last[label] = now
            self.set_row(label, now + share * (now - before))

    def loss(self, method: str, stage: int, outputs: Outputs, chosen: Tensor) -> Tensor:
        """The method's loss of the minibatch of the chosen samples, written out."""
        label = self.label[chosen]

        def entropy(logits: Tensor) -> Tensor:
            return functional.cross_entropy(logits + self.log_prior, label)

        alone = list(outputs.modality_logits.values())
        if method == "harmony" and stage == 0:
            return sum(map(entropy, alone))
        if method == "parse-faithful":
            return self.faithful_loss(outputs, entropy, stage)
        if method == "parse" and len(alone) > 1:
            return self.parse_loss(outputs, chosen, label, gates_learn=stage == 0)
        return entropy(outputs.logits)

    def parse_loss(
        self, outputs: Outputs, chosen: Tensor, label: Tensor, *, gates_learn: bool
    ) -> Tensor:
        """PARSE's loss of several modalities: every fourth sample is the gates' while they learn,
        and nobody's gates learn later."""
        held = (chosen % 4 == 0) & gates_learn

        def entropy(logits: Tensor, own: Tensor) -> Tensor:
            every = functional.cross_entropy(logits + self.log_prior, label, reduction="none")
            return (every * own).sum() / own.sum().clamp_min(1)

        loss = entropy(sum(outputs.slice_logits.values()), ~held)
        loss = loss + sum(entropy(logits, ~held) for logits in outputs.modality_logits.values())
        names = self.spec.modalities
        redundant = [outputs.slices[f"redundant.{name}"][~held] for name in names]
        pairs = [(a, b) for i, a in enumerate(redundant) for b in redundant[i + 1 :]]
        if not held.all():
            both_ways = [
                contrast(a, b, label[~held]) + contrast(b, a, label[~held]) for a, b in pairs
            ]
            loss = loss + 0.15 * sum(both_ways) / 2 / len(pairs)
        return loss + entropy(outputs.logits, held) if gates_learn else loss

    def faithful_loss(
        self, outputs: Outputs, entropy: Callable[[Tensor], Tensor], stage: int
    ) -> Tensor:
        """The faithful fission's loss at its default prices: r, then u as well, then s."""
        means, names = outputs.means, self.spec.modalities
        loss = entropy(outputs.staged["heads"])
        for index, first in enumerate(names if len(names) > 1 else ()):
            loss = loss + entropy(outputs.staged[f"redundant.{first}"])
            for second in names[index + 1 :]:
                apart = means[f"redundant.{first}"] - means[f"redundant.{second}"]
                paid = 1.2 * (0.16 if stage == 0 else 1.0)
                loss = loss + paid * nats(apart) / (len(names) - 1)
        if stage > 0:
            whole = ["unique"] if len(names) > 1 else []
            for name in [f"unique.{modality}" for modality in names] + whole:
                loss = loss + entropy(outputs.staged[name])
        if stage > 1 and outputs.sides:
            loss = loss + entropy(outputs.staged["synergistic"])
        uniques = [f"unique.{modality}" for modality in names] if stage > 0 else []
        for name in [*uniques, *(outputs.sides if stage > 1 else ())]:
            synergistic = name in outputs.sides
            loss = loss + (0.02 if synergistic else 0.05) * nats(means[name])
            for kind in ("redundant", "unique") if synergistic else ("redundant",):
                other = means[f"{kind}.{name.rpartition('.')[2]}"].detach()
                varied = variation(means[name], other)
                loss = loss + (0.004 if synergistic else 0.1) * varied
        return loss

    def row(self, label: str) -> Tensor:
        """All parameters of a component, shape=(P,)."""
        parameters = self.network.parts[label].parameters()
        return torch.cat([parameter.detach().flatten() for parameter in parameters])

    def set_row(self, label: str, row: Tensor) -> None:
        """Overwrite a component's parameters."""
        for parameter in self.network.parts[label].parameters():
            own, row = row[: parameter.numel()], row[parameter.numel() :]
            parameter.data = own.view_as(parameter).clone()

    def second(self, label: str) -> Tensor:
        """Adam's second moment of a component, shape=(P,)."""
        state = self.optimizer.state
        moments = [state[p]["exp_avg_sq"] for p in self.network.parts[label].parameters()]
        return torch.cat([moment.flatten() for moment in moments])

    def set_second(self, label: str, row: Tensor) -> None:
        """Overwrite Adam's second moment of a component."""
        for parameter in self.network.parts[label].parameters():
            own, row = row[: parameter.numel()], row[parameter.numel() :]
            self.optimizer.state[parameter]["exp_avg_sq"] = own.view_as(parameter).clone()

    def encoder_rows(self) -> dict[str, Tensor]:
        """The encoder of each modality as a row."""
        return {name: self.row(f"{name}/encoder") for name in self.spec.modalities}

    def drift(self) -> Tensor:
        """How the encoders' way since the stage began is divided among the modalities."""
        now, start = self.encoder_rows(), self.encoders_at_stage_start
        ways = torch.stack([(now[name] - start[name]).norm() for name in self.spec.modalities])
        return ways / ways.sum()


def contrast(first: Tensor, second: Tensor, label: Tensor) -> Tensor:
    """Supervised contrastive loss of ``first``, shape=(B, D), against ``second``."""
    cosine = functional.cosine_similarity(first[:, None], second[None], dim=-1)
    log_share = functional.log_softmax(cosine / 0.2, dim=1)
    return -torch.stack(
        [row[label == own].mean() for row, own in zip(log_share, label, strict=True)]
    ).mean()


def nats(mean: Tensor) -> Tensor:
    """Half the mean squared length."""
    return 0.5 * (mean**2).sum(1).mean()


def variation(first: Tensor, second: Tensor) -> Tensor:
    """The mean over pairs of different samples of ⟨x_i, x_j⟩⟨y_i, y_j⟩, both centred."""
    one, other = first - first.mean(0), second - second.mean(0)
    products = (one @ one.T) * (other @ other.T)
    size = len(first)
    return (products.sum() - products.diagonal().sum()) / (size * (size - 1))


class PlainLoop:
    """One federation of ``like``, a simulator that has not run yet, over a ring."""

    def __init__(
        self, like: Simulator, shards: list[AgentData], *, by_samples: bool = False
    ) -> None:
        self.like, self.by_samples = like, by_samples
        self.agents = [PlainAgent(shard, like) for shard in shards]
        median = int(np.median([agent.size for agent in self.agents]))
        self.steps = math.ceil(median / like.trainer.training.batch_size)
        self.round = 0

    def step(self, absence: float = 0.0) -> None:
        """One round: every agent trains on its own, then all branches are mixed at once."""
        self.round += 1
        method, training = self.like.trainer.method, self.like.trainer.training
        stage = method.stage_at(self.round, training.rounds)
        first, last = method.schedule_bounds(stage, training.rounds)
        if method.name == "harmony" and self.round == first:
            for agent in self.agents:
                agent.encoders_at_stage_start = agent.encoder_rows()
        lr = self.like.trainer.lr
        if training.schedule == "cosine":
            lr *= 0.5 * (1 + math.cos(math.pi * (self.round - first) / (last - first + 1)))
        absent = absent_agents([agent.spec for agent in self.agents], absence, self.round)
        share = self._share(first, last)
        for agent in self.agents:
            if agent.spec not in absent:
                agent.add_quasi_global_momentum(share)
                agent.train(self.like, stage, self.round, self.steps, lr)
        self._mix(stage, {agent.name for agent in absent})

    def _share(self, first: int, last: int) -> float:
        """Global momentum under the cosine schedule; none in a stage's first round."""
        if self.round == first:
            return 0.0
        now, before = (
            1 + math.cos(math.pi * (round - first) / (last - first + 1))
            for round in (self.round, self.round - 1)
        )
        return self.like.trainer.training.global_momentum * now / before

    def _mix(self, stage: int, absent: set[str]) -> None:
        sharing = self.like.trainer.method.stages[stage].sharing
        groups: dict[tuple[object, str], list[PlainAgent]] = {}
        for agent in self.agents:
            for branch in agent.network.branches.values():
                label = sharing(branch, agent.spec)
                if label is not None:
                    groups.setdefault((branch, label), []).append(agent)
        mixed = []
        for (branch, label), owners in groups.items():
            alike = branch.component == "fusion" and self.like.trainer.method.name == "harmony"
            matrix = self.matrix(owners, label, absent, tau=0.2 if alike else None)
            part = branch.label
            mixed.append((owners, part, matrix @ torch.stack([a.row(part) for a in owners])))
            if self.like.trainer.training.share_moments == "second":
                seconds = matrix @ torch.stack([agent.second(part) for agent in owners])
                for agent, row in zip(owners, seconds, strict=True):
                    agent.set_second(part, row)
        for owners, part, rows in mixed:
            for agent, row in zip(owners, rows, strict=True):
                agent.set_row(part, row)

    def matrix(
        self, owners: list[PlainAgent], label: str, absent: set[str], tau: float | None
    ) -> Tensor:
        """W of a ring over the owners, filled entry by entry, shape=(n, n)."""
        by_name = {agent.spec.name: agent for agent in owners}
        names = list(by_name)
        graph = nx.Graph()
        graph.add_nodes_from(names)
        if len(names) > 1:
            nx.add_cycle(graph, order(names, seed=owners[0].spec.seed, label=label))
        matrix = torch.zeros(len(names), len(names), dtype=self.like.trainer.data.dtype)
        for i, own in enumerate(names):
            for j, other in enumerate(names):
                if not graph.has_edge(own, other) or {own, other} & absent:
                    continue
                if tau is not None:
                    apart = by_name[own].drift() - by_name[other].drift()
                    if apart.abs().max() >= tau:
                        continue
                ratio = by_name[other].size / by_name[own].size if self.by_samples else 1.0
                own_degree, degree = graph.degree[own], graph.degree[other]
                matrix[i, j] = min(1 / (1 + own_degree), ratio / (1 + degree))
            matrix[i, i] = 1 - matrix[i].sum()
        return matrix

    def rows(self) -> Mapping[tuple[int, str, str], Tensor]:
        """All parameters: (seed, agent, branch) → row, shape=(P,)."""
        return {
            (agent.spec.seed, agent.spec.name, str(branch)): agent.row(label)
            for agent in self.agents
            for label, branch in agent.network.branches.items()
        }
