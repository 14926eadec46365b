"""Run a peer: one agent as a process, which trains, exchanges, and outlives its neighbours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Any

from torch import Tensor

from parse_dfl.config import OverlayConfig, PeerConfig, differences
from parse_dfl.engine.checkpoint import FORMAT, check_format, read_tensors, write_tensors
from parse_dfl.engine.evaluation import parameters_are_finite
from parse_dfl.engine.optimizer import shares_second
from parse_dfl.engine.sampler import local_steps
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import CheckpointError, IdentityError, OutputError
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.agreement import MomentsAgreement
from parse_dfl.peers.announcement import PeerInfo
from parse_dfl.peers.connect import Meeting
from parse_dfl.peers.exchange import PeerExchanger
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.membership import Membership
from parse_dfl.peers.round_sync import RoundPacer, RoundStats, RoundSync, Stop, round_filter
from parse_dfl.peers.status import (
    Reporter,
    Status,
    StatusPublisher,
    agreed_of,
    ask_all,
    rounds_of,
    same_living,
)
from parse_dfl.peers.transport import Topics, Transport
from parse_dfl.peers.validation import MessageValidator

STATUS_TIMEOUT_S = 2.0
LOOK_S = 0.05
"""Between two looks whether all see the same agents alive."""


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """The settings of a node besides its learning.

    ``wait_for`` agents, this one included, must be there before it begins, within ``meet_s``.
    ``terms`` are announced, and must be the same at every site.
    ``agree`` says whether agents agree on the standardisation before the first round.
    It is scored every ``eval_every`` rounds but the last: that is for whoever started it.
    ``ends_diverged`` says whether it ends when its own parameters are no longer finite; else it
    goes on by itself.
    """

    overlay: OverlayConfig
    peer: PeerConfig
    terms: Mapping[str, str] = field(default_factory=dict)
    agree: bool = False
    wait_for: int = 2
    meet_s: float = 60.0
    eval_every: int = 10
    checkpoint_every: int = 10
    ends_diverged: bool = True


CHECKPOINT = "checkpoint.safetensors"


class StateFile:
    """The checkpoint of one agent.

    ``experiment`` names what its numbers depend on, ``settings`` say what that is to a person.
    Randomness needs no room in it: it is a function of agent and round.
    """

    def __init__(
        self,
        folder: Path,
        agent: str,
        experiment: str,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._path = folder / CHECKPOINT
        self._settings = settings or {}
        self._of = {"agent": agent, "experiment": experiment}

    def save(self, trainer: Trainer, more: Mapping[str, Any]) -> str | None:
        """Write the state after the trainer's round; return None, or why that was not possible.

        A full disk stops the checkpoint, not the training; the last good file is still there.
        """
        header = {
            "format": FORMAT,
            **self._of,
            "round": trainer.round,
            "settings": self._settings,
            **more,
        }
        try:
            write_tensors(self._path, trainer.tensors(), header)
        except OutputError as reason:
            return f"no checkpoint of round {trainer.round}: {reason}"
        return None

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the tensors and what else was saved; None if there is no file.

        Raises:
            CheckpointError: it is damaged, or of another agent or experiment.
        """
        if not self._path.exists():
            return None
        tensors, header = read_tensors(self._path)
        check_format(self._path, header, FORMAT)
        for name, value in self._of.items():
            if header.get(name) != value:
                lines = differences(header.get("settings", {}), self._settings)
                what = "; ".join(lines) if lines and "settings" in header else "its data differ"
                if name == "agent":
                    what = f"{header.get(name)!r}, not {value!r}"
                raise CheckpointError(
                    f"{self._path} is the checkpoint of another {name} ({what}); start it as "
                    "before, or in another folder"
                )
        return tensors, header


class Node:
    """One agent of a federation that nobody coordinates.

    Args:
        trainer: the agent's rows, of one agent.
        transport: an open session.
        identity: who it is.
        settings: see there.
        state: its file, None to keep nothing.
        evaluation: numbers of the samples that it is scored on while training, or None.
        reporter: hears of every round.
        topology: of every overlay; None: as the settings say.
    """

    def __init__(
        self,
        trainer: Trainer,
        transport: Transport,
        identity: Identity | Insecure,
        settings: NodeSettings,
        *,
        state: StateFile | None,
        evaluation: Tensor | None,
        reporter: Reporter,
        topology: Topology | None = None,
    ) -> None:
        self.trainer, self._transport, self._identity = trainer, transport, identity
        self._settings, self._state, self._evaluation = settings, state, evaluation
        self._reporter = reporter
        self._changed = Condition()
        self._authority = identity.authority() if isinstance(identity, Identity) else None
        topology = topology or Topology.of(settings.overlay.topology)
        self._validator = MessageValidator(
            federation=identity.federation,
            name=identity.name,
            authority=self._authority,
            rounds=round_filter(settings.peer),
        )
        self._topics = Topics(identity.federation)
        self.membership = Membership(
            transport, self._topics, identity, self._authority, self._changed
        )
        self._exchanger = PeerExchanger(
            transport=transport,
            membership=self.membership,
            identity=identity,
            validator=self._validator,
            changed=self._changed,
            overlay=settings.overlay,
            settings=settings.peer,
            topology=topology,
            share_second=shares_second(trainer.training),
        )
        self._round_sync = RoundSync(
            trainer,
            ask=self._rounds_of_others,
            note=reporter.note,
            window=settings.peer.window,
            pause_s=settings.peer.deadline_s,
        )
        self._pacer = RoundPacer(settings.peer.least_round_s)
        self._status = StatusPublisher(
            trainer, self._exchanger, self._validator, identity, reporter, self._living
        )
        self._agreement = self._build_agreement(topology) if settings.agree else None
        self._meeting = Meeting(
            self.membership,
            wait_for=settings.wait_for,
            patience_s=settings.meet_s,
            note=reporter.note,
            connections=transport.peers,
        )
        self._announced: tuple[str, ...] = ()
        self.diverged = False
        """Whether the agent's parameters are no longer finite: it has left the others."""

    def _build_agreement(self, topology: Topology) -> MomentsAgreement:
        outbox, arrivals = self._exchanger.outbox, self._exchanger.arrivals
        return MomentsAgreement(self.trainer, outbox, arrivals, self._validator, topology)

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._identity.name

    @property
    def _in_lockstep(self) -> bool:
        """Whether rounds of different agents are the same rounds: not where all keep their pace."""
        return self._settings.peer.pace == "synchronous"

    def validation_report(self) -> dict[str, Any]:
        """Return the numbers of accepted and refused messages, by sender and reason."""
        return self._validator.report(time.time())

    def run(self, stop: Stop) -> None:
        """Run all rounds that are left, or up to the stop; then write a checkpoint.

        Raises:
            PeerError: too few others are there in time, or this agent differs from most.
            CheckpointError: the checkpoint is of something else.
            IdentityError: the own certificate has expired meanwhile; a checkpoint is written.
        """
        self._resume()
        self._meet(stop)
        rounds = self.trainer.training.rounds
        while self.trainer.round < rounds and not stop.due_within(
            self._pacer.pause_s(), done=self.trainer.round
        ):
            self._check_certificate()
            self._round()
            if self.diverged and self._settings.ends_diverged:
                return
        if self.trainer.round % self._settings.checkpoint_every:
            self._save()

    def linger(self, stop: Stop, *, seconds: float) -> None:
        """Stay for those who may still need what was sent last."""
        self.membership.wait(lambda _: stop.asked, timeout_s=seconds)

    def close(self) -> None:
        """Leave: the others go on without this agent."""
        self.membership.leave()
        self._transport.close()

    def _resume(self) -> None:
        checkpoint = self._state.load() if self._state else None
        if not checkpoint:
            return
        tensors, header = checkpoint
        if self._agreement and "moments" in header:
            self._agreement.restore(header["moments"])
        self.trainer.restore(tensors, header["round"])
        outbox, before = self._exchanger.outbox, header.get("started_ms", 0)
        outbox.started_ms = max(outbox.started_ms, before + 1)  # a clock may be set back
        self._reporter.note(f"goes on after round {self.trainer.round}")

    def _check_certificate(self) -> None:
        """Raise once the certificate has expired: refused by all, the agent would learn alone."""
        try:
            self._identity.check_validity(time.time())
        except IdentityError:
            self._save()
            raise

    def _meet(self, stop: Stop) -> None:
        """Announce oneself, wait for the others, agree and catch up with them."""
        self._status.agreed = bool(self._agreement and self._agreement.done)
        self._status.begin()
        info = self._info()
        self._announced = info.modalities
        self.membership.join(info)
        self._transport.answer(self._topics.status(self.name), self._status.answer)
        self._meeting.wait(stop)
        if self._agreement and not self._agreement.done and not stop.due(self.trainer.round):
            self._agree(self._agreement, stop)
        if self._in_lockstep:
            self._round_sync.catch_up()
        self._exchanger.prepare(self.trainer)

    def _agree(self, agreement: MomentsAgreement, stop: Stop) -> None:
        """Agree on the standardisation with all that are there, once all see the same."""
        end = time.monotonic() + self._settings.peer.deadline_s
        while True:
            view, statuses = self.membership.view(), self._statuses()
            over = stop.due(self.trainer.round) or time.monotonic() >= end
            if over or same_living(statuses, view.keys(), me=self.name):
                break
            time.sleep(LOOK_S)
        agreement.agree(view, agreed_of(statuses), self._reporter.note)
        self._status.agreed = True
        self._reporter.agreed(agreement.payload_bytes)

    def _living(self) -> set[str]:
        return set(self.membership.view())

    def _statuses(self) -> dict[str, Status]:
        """Return the statuses of the living agents; those that do not answer in time are left
        out."""
        living = self._living() - {self.name}
        statuses = ask_all(
            self._transport,
            self._identity.federation,
            self._authority,
            timeout_s=STATUS_TIMEOUT_S,
            wanted=living,
        )
        return {name: status for name, status in statuses.items() if name in living}

    def _rounds_of_others(self) -> list[int]:
        return rounds_of(self._statuses())

    def _round(self) -> None:
        begin = time.perf_counter()
        self.trainer.begin_round()
        self._announce_changes()
        self._meeting.note_apart()
        if not self._exchanger.is_absent(self.trainer):
            self.trainer.train(set())
        self._leave_if_diverged()
        mixing = time.perf_counter()
        if self.diverged:
            stats = RoundStats(round=self.trainer.round)
        else:
            stats = self._exchanger.exchange(self.trainer)
        self._pacer.exchanged(trained_s=mixing - begin)
        self.trainer.clock.mix += time.perf_counter() - mixing
        scores = self._evaluate_if_due()
        if self.trainer.round % self._settings.checkpoint_every == 0:
            self._save()
        self._status.round(stats, scores, time.perf_counter() - begin, diverged=self.diverged)
        if self._in_lockstep:
            self._round_sync.keep(stats)

    def _leave_if_diverged(self) -> None:
        """Leave once diverged: others would refuse its messages, and need not wait for them."""
        if self.diverged or parameters_are_finite(self.trainer.layout.stacks[0]):
            return
        self.diverged = True
        self.membership.leave()
        self._reporter.note(
            f"diverged in round {self.trainer.round}: parameters are not finite; leaves the others "
            f"and sends nothing more (learning rate {self.trainer.lr:g})"
        )

    def _announce_changes(self) -> None:
        info = self._info()
        if self.diverged:
            return
        if info.modalities != self._announced:
            self._announced = info.modalities
            self.membership.announce(info)

    def _info(self) -> PeerInfo:
        stack, training = self.trainer.layout.stacks[0], self.trainer.training
        agent, samples = stack.agents[0], int(stack.data.sizes[0])
        return PeerInfo(
            name=self.name,
            seed=agent.seed,
            modalities=agent.modalities,
            samples=samples,
            branches=tuple(sorted(self.trainer.layout.branches)),
            created_ns=0,
            local_steps=local_steps(
                [samples], training.batch_size, training.local_epochs, training.local_steps
            ),
            terms=self._settings.terms,
        )

    def _evaluate_if_due(self) -> dict[str, float] | None:
        due = self.trainer.round % self._settings.eval_every == 0
        last = self.trainer.round == self.trainer.training.rounds
        if self._evaluation is None or last or not due:
            return None
        return self.trainer.evaluate(self._evaluation)[0][1].first()

    def _save(self) -> None:
        """Write a checkpoint; one who has diverged keeps the last of before."""
        if self.diverged or not self._state:
            return
        more: dict[str, Any] = {"started_ms": self._exchanger.outbox.started_ms}
        if self._agreement:
            more["moments"] = self._agreement.rows()
        problem = self._state.save(self.trainer, more)
        if problem:
            self._reporter.note(problem)
