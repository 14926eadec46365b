"""Train some agents locally, round by round; with whom they exchange is up to the owner.

A simulator owns a trainer of all agents, a rank one of its part, a peer one of itself: local
training, stages, changes of modalities, evaluation and checkpoints are the same.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from parse_dfl.agents import AgentSpec, ModalityChange, apply_change
from parse_dfl.branches import Branch
from parse_dfl.config import TrainingConfig
from parse_dfl.data.standardise import Standardiser
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.evaluation import Scores, evaluate
from parse_dfl.engine.layout import Layout, build_layout
from parse_dfl.engine.local_training import LocalTrainer, Workers, scheduled_lr
from parse_dfl.engine.optimizer import add_quasi_global_momentum
from parse_dfl.engine.sampler import local_steps
from parse_dfl.engine.state import BranchState
from parse_dfl.errors import CheckpointError
from parse_dfl.methods.base import Method, Stage
from parse_dfl.networks.network import NetworkSpec


@dataclass
class Clock:
    """Seconds spent per part of a round."""

    train: float = 0.0
    mix: float = 0.0
    evaluate: float = 0.0


def everyone(agent: AgentSpec) -> bool:  # noqa: ARG001
    """Train all agents in this process."""
    return True


class Trainer:
    """The rows of some agents and their local training.

    The state after a round is a pure function of the arguments and of what the exchange wrote into
    the rows: nothing is drawn from a generator that runs along.

    Args:
        data: the data set, on the device that trains.
        agent_data: all agents of the federation and their samples.
        method: what is learnt, and how.
        network_spec: what networks are built from.
        training: the settings of local training.
        changes: agents' changes of modalities.
        compiled: compile the training steps.
        is_trained_here: which of the agents have their rows in this process.
    """

    def __init__(
        self,
        data: TensorData,
        agent_data: Sequence[AgentData],
        method: Method,
        network_spec: NetworkSpec,
        *,
        training: TrainingConfig,
        changes: Sequence[ModalityChange] = (),
        compiled: bool = False,
        is_trained_here: Callable[[AgentSpec], bool] = everyone,
    ) -> None:
        if compiled and method.centralised:
            warnings.warn(
                f"the training step of {method.name} cannot be compiled and runs as it is "
                "(it ties the gradients of all agents)",
                stacklevel=2,
            )
        self.data, self.method, self.network_spec = data, method, network_spec
        self.training = training
        self.agent_data = list(agent_data)
        self._changes = list(changes)
        self._compiled, self._is_trained_here = compiled, is_trained_here
        sizes = [len(entry.indices) for entry in agent_data]
        steps = local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)
        in_threads = compiled and data.device.type == "cpu" and not method.centralised
        self.workers = Workers(torch.get_num_threads() if in_threads else 1)
        self._local = LocalTrainer(
            training, steps=steps, centralised=method.centralised, workers=self.workers
        )
        self.layout = self._build_layout()
        self.round = 0
        self.clock = Clock()

    def _build_layout(self) -> Layout:
        return build_layout(
            self.data,
            self.agent_data,
            build_network=self.method.network,
            network_spec=self.network_spec,
            training=self.training,
            is_trained_here=self._is_trained_here,
            compiled=self._compiled,
            centralised=self.method.centralised,
            threads=self.workers.threads,
        )

    def standardise_by(self, agreed: Sequence[Mapping[str, Standardiser]]) -> None:
        """Standardise each agent's samples by what it has agreed on, before the first round."""
        assert not self.round, "agents agree before they train"
        self.agent_data = [
            replace(entry, standardisers=standardisers)
            for entry, standardisers in zip(self.agent_data, agreed, strict=True)
        ]
        self.layout = self._build_layout()

    @property
    def lr(self) -> float:
        """The learning rate at the start: as set, or the method's own."""
        return self.method.lr if self.training.lr is None else self.training.lr

    @property
    def stage(self) -> Stage:
        """The stage of the round that ran last (of the first before any)."""
        number = self.method.stage_at(max(1, self.round), self.training.rounds)
        return self.method.stages[number]

    def begin_round(self) -> bool:
        """Count the round, apply the changes that are due, and enter its stage.

        Return whether any agent's modalities changed, and with them the layout.
        """
        self.round += 1
        changed = self._apply_changes(self.round)
        self._enter_stage()
        return changed

    def train(self, absent: set[AgentSpec]) -> None:
        """Run the round's local steps; the rows of the ``absent`` stay unchanged bit for bit."""
        stage = self.stage
        first, last = self.method.schedule_bounds(stage.number, self.training.rounds)
        lr = scheduled_lr(self.lr, self.training.schedule, self.round, first, last)
        begin = time.perf_counter()
        self._keep_previous(stage)
        kept = _copy_rows(self.layout, absent)
        if self.training.global_momentum:
            self._add_momentum(lr, first, last)
        self._local.train(self.layout, stage, round=self.round, lr=lr)
        _put_back(kept)
        self.clock.train += time.perf_counter() - begin

    def _add_momentum(self, lr: float, first: int, last: int) -> None:
        """Add global momentum; none crosses the start of a schedule, whose learning rate jumps."""
        coefficient = 0.0
        if self.round > first:
            before = scheduled_lr(self.lr, self.training.schedule, self.round - 1, first, last)
            coefficient = self.training.global_momentum * lr / before
        for rows in self.layout.branches.values():
            add_quasi_global_momentum(rows, coefficient)

    def evaluate(self, samples: Tensor) -> list[tuple[AgentStack, Scores]]:
        """Return the scores of every stack on the samples numbered ``samples``."""
        begin = time.perf_counter()
        samples = samples.to(self.data.device)
        predict = self.stage.predict
        scores = [
            (stack, evaluate(stack, self.data, samples, predict)) for stack in self.layout.stacks
        ]
        self.clock.evaluate += time.perf_counter() - begin
        return scores

    def _enter_stage(self) -> None:
        """Remember where tracked components start: in the stage's first round, or when gained."""
        stage = self.stage
        first, _ = self.method.stage_bounds(self.training.rounds)[stage.number]
        for branch, rows in self.layout.branches.items():
            rows.progress = self.round / self.training.rounds
            if branch.component != stage.tracks_drift:
                rows.stage_start = None
            elif self.round == first or rows.stage_start is None:
                rows.stage_start = rows.params.clone()

    def _keep_previous(self, stage: Stage) -> None:
        for branch, rows in self.layout.branches.items():
            needed = stage.exchange(branch).needs_previous
            rows.previous = rows.params.clone() if needed else None

    def _apply_changes(self, round: int) -> bool:
        """Let agents lose or gain the modalities that are due: rows move to a new layout."""
        due = [change for change in self._changes if change.round == round]
        if not due:
            return False
        for change in due:
            self.agent_data = [
                replace(entry, agent=apply_change(entry.agent, change)) for entry in self.agent_data
            ]
        old = self.layout
        self.layout = self._build_layout()
        _move_rows(old.branches, self.layout.branches)
        return True

    def skip_to(self, round: int) -> bool:
        """Jump ahead to the end of ``round``, without training in between.

        Return whether any agent's modalities changed on the way.
        """
        changed = [self._apply_changes(passed) for passed in range(self.round + 1, round + 1)]
        self.round = round
        return any(changed)

    def return_to(self, round: int) -> None:
        """Go back to the end of ``round``, an earlier one, with the rows as they are.

        No change of modalities or stage is taken back: it goes no further than the latest.  A
        stage that continues the one before keeps no state of its own, and may be left backwards.
        """
        number = self.stage.number
        while self.method.stages[number].continues:
            number -= 1
        first, _ = self.method.stage_bounds(self.training.rounds)[number]
        passed = [change.round for change in self._changes if change.round <= self.round]
        self.round = min(self.round, max([round, first - 1, *passed]))

    def tensors(self) -> dict[str, Tensor]:
        """Return the whole state, for a checkpoint: ``BRANCH|NAME`` → tensor."""
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
        by_branch: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            label, _, name = key.rpartition("|")
            by_branch.setdefault(label, {})[name] = value
        if set(by_branch) != {str(branch) for branch in self.layout.branches}:
            raise CheckpointError("the checkpoint holds the branches of another experiment")
        for branch, rows in self.layout.branches.items():
            saved = by_branch[str(branch)]
            if saved["theta"].shape != rows.params.shape:
                raise CheckpointError(
                    f"the checkpoint's branch {branch} has shape {tuple(saved['theta'].shape)}, "
                    f"this experiment's {tuple(rows.params.shape)}"
                )
            rows.restore(saved)


def _copy_rows(layout: Layout, agents: set[AgentSpec]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Copy all that the given agents' rows hold: (matrix, rows, copy)."""
    copies = []
    for state in layout.branches.values():
        rows = [row for row, agent in enumerate(state.agents) if agent in agents]
        if rows:
            index = torch.tensor(rows, device=state.params.device)
            copies += [(value, index, value[index]) for value in state.row_state().values()]
    return copies


def _put_back(copies: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
    for matrix, index, copy in copies:
        matrix[index] = copy


def _move_rows(old: Mapping[Branch, BranchState], new: Mapping[Branch, BranchState]) -> None:
    """Copy what an agent owned before and owns still: parameters, moments and step counts."""
    for branch in old.keys() & new.keys():
        source, target = old[branch], new[branch]
        target.memory = dict(source.memory)
        if source.stage_start is not None:
            target.stage_start = target.params.clone()
        row_of = {(agent.seed, agent.name): row for row, agent in enumerate(source.agents)}
        pairs = [
            (row_of[agent.seed, agent.name], row)
            for row, agent in enumerate(target.agents)
            if (agent.seed, agent.name) in row_of
        ]
        if not pairs:  # the branch passed to others in one round
            continue
        before, after = (torch.tensor(part) for part in zip(*pairs, strict=True))
        state = source.row_state()
        for name, value in target.row_state().items():
            value[after] = state[name][before]
