"""Local training of some agents, round by round; with whom they exchange is up to the engine.

Some agents that learn, round by round; with whom they exchange is up to the engine.

A simulator holds all agents, a peer its own one: local training, stages, changes of modalities,
evaluation and checkpoints are the same.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec, ModalityChange, modality_set
from parse_dfl.branches import Branch
from parse_dfl.config import TrainingConfig
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.evaluation import Scores, evaluate
from parse_dfl.engine.layout import Layout, build_layout
from parse_dfl.engine.local_training import LocalTrainer, scheduled_lr
from parse_dfl.engine.sampler import agent_key, local_steps
from parse_dfl.engine.state import BranchState, add_quasi_global_momentum
from parse_dfl.engine.workers import Workers
from parse_dfl.errors import CheckpointError, ConfigError, unknown
from parse_dfl.methods.base import Method, Stage
from parse_dfl.networks.counter_rng import hash_counters
from parse_dfl.networks.network_spec import NetworkSpec


def check_events(
    events: Iterable[ModalityChange],
    agents: Sequence[AgentSpec],
    modalities: Iterable[str],
    rounds: int,
) -> None:
    """Refuse events that cannot happen.

    Raises:
        ConfigError: an unknown agent or modality, a round after the last, a gain of what is
            owned, a loss of what is not, or of the last modality.
    """
    owned = {agent.name: set(agent.modalities) for agent in agents}
    known = set(modalities)
    for event in sorted(events, key=lambda event: event.round):
        if event.round > rounds:
            raise ConfigError(f"an event in round {event.round} of {rounds} would never happen")
        if event.agent not in owned:
            raise unknown("agent in an event:", event.agent, owned)
        if event.modality not in known:
            raise unknown("modality in an event:", event.modality, known)
        own = owned[event.agent]
        if event.gained == (event.modality in own):
            verb = "already has" if event.gained else "does not have"
            raise ConfigError(
                f"agent {event.agent!r} {verb} {event.modality!r} in round {event.round}"
            )
        own.symmetric_difference_update({event.modality})
        if not own:
            raise ConfigError(
                f"agent {event.agent!r} would lose its last modality {event.modality!r} in round "
                f"{event.round}"
            )


def apply_event(agent: AgentSpec, event: ModalityChange) -> AgentSpec:
    """The agent after the event; other agents are returned unchanged."""
    if agent.name != event.agent:
        return agent
    return agent.with_modalities(modality_set(set(agent.modalities) ^ {event.modality}))


def absent_agents(agents: Sequence[AgentSpec], probability: float, round: int) -> set[AgentSpec]:
    """Who misses a round: each agent by its own coin, whatever the others do."""
    if not probability:
        return set()
    keys = np.array([agent_key(agent, "absence") for agent in agents], dtype=np.uint64)
    draws = hash_counters(keys, np.full(len(keys), round, dtype=np.uint64))
    away = draws < np.uint64(min(int(probability * 2**64), 2**64 - 1))
    return {agent for agent, gone in zip(agents, away, strict=True) if gone}


@dataclass
class Clock:
    """Seconds spent per part of a round."""

    train: float = 0.0
    mix: float = 0.0
    evaluate: float = 0.0


class Trainer:
    """The rows of some agents and their local training.

    The state after a round is a pure function of the arguments and of what the engine's exchange
    wrote into the rows: nothing is drawn from a generator that runs along.
    """

    def __init__(
        self,
        data: TensorData,
        shards: Sequence[AgentData],
        method: Method,
        network_spec: NetworkSpec,
        *,
        training: TrainingConfig,
        events: Sequence[ModalityChange] = (),
        compiled: bool = False,
    ) -> None:
        self.data, self.method, self.network_spec = data, method, network_spec
        self.training = training
        self._shards = list(shards)
        self._compiled = compiled
        if compiled and method.centralised:
            warnings.warn(
                f"the training step of {method.name} cannot be compiled and runs as it is "
                "(it ties the gradients of all agents)",
                stacklevel=2,
            )
        self._events = list(events)
        sizes = [len(shard.indices) for shard in shards]
        steps = local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)
        beside = compiled and data.device.type == "cpu" and not method.centralised
        self.workers = Workers(torch.get_num_threads() if beside else 1)
        self._trainer = LocalTrainer(
            training, steps=steps, centralised=method.centralised, workers=self.workers
        )
        self.layout = self._build()
        self.round = 0
        self.clock = Clock()

    def _build(self) -> Layout:
        return build_layout(
            self.data,
            self._shards,
            build_network=self.method.network,
            network_spec=self.network_spec,
            training=self.training,
            compiled=self._compiled,
            centralised=self.method.centralised,
            threads=self.workers.threads,
        )

    @property
    def lr(self) -> float:
        """The learning rate at the start: as set, or the method's own."""
        return self.method.lr if self.training.lr is None else self.training.lr

    @property
    def stage_number(self) -> int:
        """The stage of the round that ran last (of the first before any)."""
        return self.method.stage_at(max(1, self.round), self.training.rounds)

    @property
    def stage(self) -> Stage:
        """The stage of the round that ran last."""
        return self.method.stages[self.stage_number]

    def begin_round(self) -> None:
        """Count the round, let the changes happen that are due, and enter its stage."""
        self.round += 1
        self._happen(self.round)
        self._enter_stage()

    def train(self, absent: set[AgentSpec]) -> None:
        """The round's local steps; the rows of the ``absent`` stay unchanged bit for bit."""
        first, last = self.method.schedule_bounds(self.stage_number, self.training.rounds)
        lr = scheduled_lr(self.lr, self.training.schedule, self.round, first, last)
        begin = time.perf_counter()
        self._remember_before()
        kept = _rows_of(self.layout, absent)
        if self.training.global_momentum:
            self._move_on(lr, first, last)
        self._trainer.train(self.layout, self.stage, round=self.round, lr=lr)
        _put_back(kept)
        self.clock.train += time.perf_counter() - begin

    def _move_on(self, lr: float, first: int, last: int) -> None:
        """Global momentum; none crosses the start of a schedule, whose learning rate jumps."""
        share = 0.0
        if self.round > first:
            before = scheduled_lr(self.lr, self.training.schedule, self.round - 1, first, last)
            share = self.training.global_momentum * lr / before
        for rows in self.layout.branches.values():
            add_quasi_global_momentum(rows, share)

    def evaluate(self, samples: Tensor) -> list[tuple[AgentStack, Scores]]:
        """The scores of every stack on the samples numbered ``samples``."""
        begin = time.perf_counter()
        samples = samples.to(self.data.device)
        scores = [
            (stack, evaluate(stack, self.data, samples, self.stage.predict))
            for stack in self.layout.stacks
        ]
        self.clock.evaluate += time.perf_counter() - begin
        return scores

    def _enter_stage(self) -> None:
        """Remember where tracked components start: in the stage's first round, or when gained."""
        first, _ = self.method.stage_bounds(self.training.rounds)[self.stage_number]
        for branch, rows in self.layout.branches.items():
            rows.progress = self.round / self.training.rounds
            if branch.component != self.stage.tracks_drift:
                rows.stage_start = None
            elif self.round == first or rows.stage_start is None:
                rows.stage_start = rows.params.clone()

    def _remember_before(self) -> None:
        for branch, rows in self.layout.branches.items():
            needed = self.stage.exchange(branch).needs_previous
            rows.previous = rows.params.clone() if needed else None

    def _happen(self, round: int) -> bool:
        """Let agents lose or gain modalities: rows move to a new layout.  Whether any did."""
        due = [event for event in self._events if event.round == round]
        if not due:
            return False
        for event in due:
            self._shards = [
                replace(shard, agent=apply_event(shard.agent, event)) for shard in self._shards
            ]
        old = self.layout
        self.layout = self._build()
        _move_rows(old.branches, self.layout.branches)
        return True

    def skip_to(self, round: int) -> None:
        """Be after ``round``, a later one, without having trained in between."""
        for passed in range(self.round + 1, round + 1):
            self._happen(passed)
        self.round = round

    def return_to(self, round: int) -> None:
        """Be after ``round``, an earlier one, again, with the rows as they are.

        No change of modalities or stage is taken back: it goes no further than the latest.  A
        stage that continues the one before keeps no state of its own, and may be left backwards.
        """
        number = self.stage_number
        while self.method.stages[number].continues:
            number -= 1
        first, _ = self.method.stage_bounds(self.training.rounds)[number]
        passed = [event.round for event in self._events if event.round <= self.round]
        self.round = min(self.round, max([round, first - 1, *passed]))

    def tensors(self) -> dict[str, Tensor]:
        """The whole state, for a checkpoint."""
        return {
            f"{branch}|{name}": value
            for branch, rows in self.layout.branches.items()
            for name, value in rows.tensors().items()
        }

    def restore(self, tensors: Mapping[str, Tensor], round: int) -> None:
        """Go on from the state after ``round``.

        Raises:
            CheckpointError: the tensors are of another experiment.
        """
        self.skip_to(round)
        grouped: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            label, _, name = key.rpartition("|")
            grouped.setdefault(label, {})[name] = value
        if set(grouped) != {str(branch) for branch in self.layout.branches}:
            raise CheckpointError("the checkpoint holds the branches of another experiment")
        for branch, rows in self.layout.branches.items():
            own = grouped[str(branch)]
            if own["theta"].shape != rows.params.shape:
                raise CheckpointError(
                    f"the checkpoint's branch {branch} has shape {tuple(own['theta'].shape)}, this "
                    f"experiment's {tuple(rows.params.shape)}"
                )
            rows.restore(own)


def _rows_of(layout: Layout, agents: set[AgentSpec]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Copies of all that the given agents' rows hold: (matrix, rows, copy)."""
    kept = []
    for rows in layout.branches.values():
        own = [row for row, agent in enumerate(rows.agents) if agent in agents]
        if own:
            index = torch.tensor(own, device=rows.params.device)
            kept += [(value, index, value[index]) for value in rows.row_state().values()]
    return kept


def _put_back(kept: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
    """An absent row stays unchanged bit for bit."""
    for matrix, index, copy in kept:
        matrix[index] = copy


def _move_rows(old: Mapping[Branch, BranchState], new: Mapping[Branch, BranchState]) -> None:
    """Copy what an agent owned before and owns still: parameters, moments and step counts."""
    for branch in old.keys() & new.keys():
        source, target = old[branch], new[branch]
        target.memory = dict(source.memory)
        if source.stage_start is not None:
            target.stage_start = target.params.clone()
        place = {(agent.seed, agent.name): row for row, agent in enumerate(source.agents)}
        pairs = [
            (place[agent.seed, agent.name], row)
            for row, agent in enumerate(target.agents)
            if (agent.seed, agent.name) in place
        ]
        if not pairs:  # the branch passed to others in one round
            continue
        before, after = (torch.tensor(part) for part in zip(*pairs, strict=True))
        state = source.row_state()
        for name, value in target.row_state().items():
            value[after] = state[name][before]
