"""All agents in one process: local training of every cohort, then mixing, round by round."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.errors import CheckpointError
from parse_dfl.events import ModalityEvent
from parse_dfl.methods.method import Method, Stage
from parse_dfl.networks.blueprint import Blueprint
from parse_dfl.overlays.config import OverlayConfig
from parse_dfl.overlays.topologies import Topology
from parse_dfl.simulation.churn import absent_agents, apply_event
from parse_dfl.simulation.exchange import Exchanger, Payload
from parse_dfl.simulation.overlays import OverlayBook
from parse_dfl.training.batches import local_steps
from parse_dfl.training.cohort import Cohort
from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.evaluation import Scores, evaluate
from parse_dfl.training.layout import Layout, build_layout
from parse_dfl.training.local import LocalTrainer, scheduled_lr
from parse_dfl.training.rows import BranchRows
from parse_dfl.training.shards import Shard, TensorData


@dataclass
class Clock:
    """Seconds spent per part of a round."""

    train: float = 0.0
    mix: float = 0.0
    evaluate: float = 0.0


class Simulator:
    """A federation, or several of different seeds side by side, in one process.

    A round is local training, then mixing (contract).  The state after a round is a pure
    function of the arguments: nothing is drawn from a generator that runs along.
    """

    def __init__(
        self,
        data: TensorData,
        shards: Sequence[Shard],
        method: Method,
        blueprint: Blueprint,
        *,
        training: TrainingConfig,
        overlay: OverlayConfig = OverlayConfig(),  # noqa: B008 - frozen
        topology: Topology | None = None,
        events: Sequence[ModalityEvent] = (),
        compiled: bool = False,
    ) -> None:
        self.data, self.method, self.blueprint = data, method, blueprint
        self.training, self._absence = training, overlay.absence
        self._shards = list(shards)
        self._compiled = compiled
        self._events = list(events)
        samples = {(s.agent.seed, s.agent.name): len(s.indices) for s in shards}
        book = OverlayBook(overlay, topology, samples)
        self.book = book
        self._exchanger = Exchanger(book, share_second=training.share_moments == "second")
        steps = local_steps(
            list(samples.values()), training.batch_size, training.local_epochs, training.local_steps
        )
        self._trainer = LocalTrainer(training, steps=steps, centralised=method.centralised)
        self.layout = self._build()
        self.round = 0
        self.clock = Clock()

    def _build(self) -> Layout:
        return build_layout(
            self.data,
            self._shards,
            build_network=self.method.network,
            blueprint=self.blueprint,
            training=self.training,
            compiled=self._compiled,
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

    def step(self) -> None:
        """Run the next round."""
        self.round += 1
        self._happen(self.round)
        self._enter_stage()
        first, last = self.method.stage_bounds(self.training.rounds)[self.stage_number]
        lr = scheduled_lr(self.lr, self.training.schedule, self.round, first, last)
        absent = absent_agents(self.layout.agents, self._absence, self.round)
        begin = time.perf_counter()
        self._remember_before()
        kept = _rows_of(self.layout, absent)
        self._trainer.train(self.layout, self.stage, round=self.round, lr=lr)
        _put_back(kept)
        trained = time.perf_counter()
        self._exchanger.exchange(
            self.layout, self.stage, self.stage_number, round=self.round, absent=absent
        )
        self.clock.train += trained - begin
        self.clock.mix += time.perf_counter() - trained

    def payload(self) -> Payload:
        """What the last round sent (before any: what the first would, nobody absent)."""
        round = max(1, self.round)
        absent = absent_agents(self.layout.agents, self._absence, round)
        return self._exchanger.payload(
            self.layout, self.stage, self.stage_number, round=round, absent=absent
        )

    @property
    def varies(self) -> bool:
        """Whether overlays change from round to round, or agents miss rounds."""
        return self.book.topology.time_varying or bool(self._absence)

    def evaluate(self, samples: Tensor) -> list[tuple[Cohort, Scores]]:
        """The scores of every cohort on the samples numbered ``samples``."""
        begin = time.perf_counter()
        samples = samples.to(self.data.device)
        scores = [
            (cohort, evaluate(cohort, self.data, samples, self.stage.predict))
            for cohort in self.layout.cohorts
        ]
        self.clock.evaluate += time.perf_counter() - begin
        return scores

    def _enter_stage(self) -> None:
        """Remember where tracked components start: in the stage's first round, or when gained."""
        first, _ = self.method.stage_bounds(self.training.rounds)[self.stage_number]
        for branch, rows in self.layout.branches.items():
            if branch.component != self.stage.tracks_drift:
                rows.stage_start = None
            elif self.round == first or rows.stage_start is None:
                rows.stage_start = rows.theta.clone()

    def _remember_before(self) -> None:
        for branch, rows in self.layout.branches.items():
            needed = self.stage.exchange(branch).needs_before
            rows.before = rows.theta.clone() if needed else None

    def _happen(self, round: int) -> None:
        """Let agents lose or gain modalities: rows move to a new layout, overlays are redrawn."""
        due = [event for event in self._events if event.round == round]
        if not due:
            return
        for event in due:
            self._shards = [
                replace(shard, agent=apply_event(shard.agent, event)) for shard in self._shards
            ]
        old = self.layout
        self.layout = self._build()
        _move_rows(old.branches, self.layout.branches)
        self.book.forget()

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
        for passed in range(1, round + 1):
            self._happen(passed)
        self.round = round
        grouped: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            label, _, name = key.rpartition("|")
            grouped.setdefault(label, {})[name] = value
        if set(grouped) != {str(branch) for branch in self.layout.branches}:
            raise CheckpointError("the checkpoint holds the branches of another experiment")
        for branch, rows in self.layout.branches.items():
            own = grouped[str(branch)]
            if own["theta"].shape != rows.theta.shape:
                raise CheckpointError(
                    f"the checkpoint's branch {branch} has shape {tuple(own['theta'].shape)}, this "
                    f"experiment's {tuple(rows.theta.shape)}"
                )
            rows.restore(own)


def _rows_of(layout: Layout, agents: set[AgentSpec]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Copies of all that the given agents' rows hold: (matrix, rows, copy)."""
    kept = []
    for rows in layout.branches.values():
        own = [row for row, agent in enumerate(rows.agents) if agent in agents]
        if own:
            index = torch.tensor(own, device=rows.theta.device)
            kept += [(value, index, value[index]) for value in rows.row_state().values()]
    return kept


def _put_back(kept: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
    """An absent row stays unchanged bit for bit."""
    for matrix, index, copy in kept:
        matrix[index] = copy


def _move_rows(old: Mapping[Branch, BranchRows], new: Mapping[Branch, BranchRows]) -> None:
    """Copy what an agent owned before and owns still: parameters, moments and step counts."""
    for branch in old.keys() & new.keys():
        source, target = old[branch], new[branch]
        target.memory = dict(source.memory)
        if source.stage_start is not None:
            target.stage_start = target.theta.clone()
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
