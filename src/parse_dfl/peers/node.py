"""A peer: one agent as a process, which trains, exchanges, and outlives its neighbours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Condition
from typing import Any

from torch import Tensor

from parse_dfl.branches import Branch
from parse_dfl.engine.evaluation import parameters_are_finite
from parse_dfl.engine.optimizer import shares_second
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import IdentityError, PeerError
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.announcement import PeerInfo
from parse_dfl.peers.compatibility import in_a_sentence
from parse_dfl.peers.config import NodeSettings
from parse_dfl.peers.exchange import PeerExchanger
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.incompatible import strangers
from parse_dfl.peers.membership import Membership
from parse_dfl.peers.node_state import StateFile
from parse_dfl.peers.round_sync import RoundPacer, RoundStats, RoundSync, Stop, round_filter
from parse_dfl.peers.status import Reporter, StatusPublisher, ask_all, rounds_of
from parse_dfl.peers.topics import Topics
from parse_dfl.peers.transport import Transport
from parse_dfl.peers.validation import MessageValidator

STATUS_TIMEOUT_S = 2.0
REFUSAL_STAY_S = 3.0
"""How long one that differs stays, so that the other site hears of the difference as well."""


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
        self._guard = MessageValidator(
            federation=identity.federation,
            own=identity.name,
            authority=self._authority,
            rounds=round_filter(settings.peer),
        )
        keys = Topics(identity.federation)
        self.membership = Membership(transport, keys, identity, self._authority, self._changed)
        self._exchanger = PeerExchanger(
            transport=transport,
            membership=self.membership,
            identity=identity,
            validator=self._guard,
            changed=self._changed,
            overlay=settings.overlay,
            settings=settings.peer,
            topology=topology,
            share_second=shares_second(trainer.training),
        )
        self._lockstep = RoundSync(
            trainer,
            ask=self._rounds_of_others,
            note=reporter.note,
            window=settings.peer.window,
            pause_s=settings.peer.deadline_s,
        )
        self._tempo = RoundPacer(settings.peer.least_round_s)
        self._telling = StatusPublisher(
            trainer, self._exchanger, self._guard, identity, reporter, self._known
        )
        self._announced: tuple[str, ...] = ()
        self._strange: dict[str, str] = {}
        self._ignored: dict[str, str] = {}
        self.diverged = False
        """Whether the agent's parameters are no longer finite: it has left the others."""

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._identity.name

    @property
    def _in_lockstep(self) -> bool:
        """Whether rounds of different agents are the same rounds: not where all keep their pace."""
        return self._settings.peer.pace == "synchronous"

    def guard_report(self) -> dict[str, Any]:
        """What was accepted and refused, by sender and reason."""
        return self._guard.report(time.time())

    def run(self, stop: Stop) -> None:
        """All rounds that are left, or up to the stop; then a checkpoint.

        Raises:
            PeerError: too few others are there in time.
            CheckpointError: the checkpoint is of something else.
            IdentityError: the own certificate has expired meanwhile; a checkpoint is written.
        """
        self._resume()
        self._meet(stop)
        rounds = self.trainer.training.rounds
        while self.trainer.round < rounds and not stop.due_within(
            self._tempo.pause_s(), done=self.trainer.round
        ):
            self._check_certificate()
            self._round()
            if self.diverged and self._settings.ends_diverged:
                return
        if self.trainer.round % self._settings.checkpoint_every:
            self._save()

    def linger(self, stop: Stop, *, seconds: float) -> None:
        """Stay for those who may still need what was sent last."""
        end = time.monotonic() + seconds
        with self._changed:
            while not stop.asked and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.2))

    def close(self) -> None:
        """Leave: the others go on without this agent."""
        self.membership.leave()
        self._transport.close()

    def _resume(self) -> None:
        kept = self._state.load(self.trainer) if self._state else None
        if kept:
            outbox, before = self._exchanger.outbox, kept.get("started_ms", 0)
            outbox.started_ms = max(outbox.started_ms, before + 1)  # a clock may be set back
            self._reporter.note(f"goes on after round {self.trainer.round}")

    def _check_certificate(self) -> None:
        """An agent that all others refuse would learn alone."""
        try:
            self._identity.check_validity(time.time())
        except IdentityError:
            self._save()
            raise

    def _meet(self, stop: Stop) -> None:
        """Announce oneself, wait for the others, and catch up with them."""
        keys = Topics(self._identity.federation)
        self._telling.begin()
        info = self._card()
        self._announced = info.modalities
        self.membership.join(info)
        self._transport.answer(keys.status(self.name), self._telling.answer)
        wanted = self._settings.wait_for

        def enough(view: Mapping[str, PeerInfo]) -> bool:
            return len(view) >= wanted or stop.asked or bool(self.membership.differing())

        met = self.membership.wait(enough, timeout_s=self._settings.meet_s)
        self._check_terms(stop)
        if not met:
            there = len(self.membership.view())
            raise PeerError(
                f"{there} of {wanted} agents were there after {self._settings.meet_s:g} s "
                f"(connections to {self._transport.peers()} peers); an agent that learns alone is "
                "no federation: check the addresses to connect to, or lower wait_for"
            )
        if self._in_lockstep:
            self._lockstep.catch_up()
        self._exchanger.prepare(self.trainer)

    def _check_terms(self, stop: Stop) -> None:
        """Before its first round an agent that differs from anybody begins nothing.

        Once it runs it goes on, and it is for the newcomer to end.
        """
        found = self.membership.differing()
        if not found:
            return
        self.linger(stop, seconds=REFUSAL_STAY_S)
        told = "; ".join(in_a_sentence(each) for each in found.values())
        raise PeerError(
            f"sites of {self._identity.federation} differ: {told}; make them the same at every "
            "site, in the same order where they are lists"
        )

    def _known(self) -> set[str]:
        return set(self.membership.view())

    def _rounds_of_others(self) -> list[int]:
        """How far the living say that they are; those that do not answer in time are left out."""
        living = self.membership.view().keys() - {self.name}
        others = ask_all(
            self._transport,
            self._identity.federation,
            self._authority,
            timeout_s=STATUS_TIMEOUT_S,
            wanted=living,
        )
        return rounds_of(others, living)

    def _round(self) -> None:
        begin = time.perf_counter()
        self.trainer.begin_round()
        self._announce_changes()
        self._note_strangers()
        if not self._exchanger.is_absent(self.trainer):
            self.trainer.train(set())
        self._leave_if_diverged()
        mixing = time.perf_counter()
        traffic = self._no_traffic() if self.diverged else self._exchanger.exchange(self.trainer)
        self._tempo.exchanged(trained_s=mixing - begin)
        self.trainer.clock.mix += time.perf_counter() - mixing
        scores = self._evaluate_if_due()
        if self.trainer.round % self._settings.checkpoint_every == 0:
            self._save()
        self._telling.round(traffic, scores, time.perf_counter() - begin, diverged=self.diverged)
        if self._in_lockstep:
            self._lockstep.keep(traffic)

    def _leave_if_diverged(self) -> None:
        """Send nothing that all others refuse; to them the agent is gone, so that none waits."""
        if self.diverged or parameters_are_finite(self.trainer.layout.stacks[0]):
            return
        self.diverged = True
        self.membership.leave()
        self._reporter.note(
            f"diverged in round {self.trainer.round}: parameters are not finite; leaves the others "
            f"and sends nothing more (learning rate {self.trainer.lr:g})"
        )

    def _no_traffic(self) -> RoundStats:
        return RoundStats(
            round=self.trainer.round, payload_bytes={}, neighbours={}, rounds={}, lockstep_lead=0
        )

    def _announce_changes(self) -> None:
        info = self._card()
        if self.diverged:
            return
        if info.modalities != self._announced:
            self._announced = info.modalities
            self.membership.announce(info)

    def _note_strangers(self) -> None:
        found = strangers(self.membership.view(), self.name)
        for name, why in found.items():
            if self._strange.get(name) != why:
                self._reporter.note(f"{name} {why}: they will not exchange it")
        self._strange = found
        for name, differing in self.membership.differing().items():
            why = in_a_sentence(differing)
            if self._ignored.get(name) != why:
                self._reporter.note(f"{name} is ignored: {why}")
                self._ignored[name] = why

    def _card(self) -> PeerInfo:
        stack = self.trainer.layout.stacks[0]
        agent = stack.agents[0]
        branches: list[Branch] = sorted(self.trainer.layout.branches)
        return PeerInfo(
            name=self.name,
            seed=agent.seed,
            modalities=agent.modalities,
            samples=int(stack.data.sizes[0]),
            branches=tuple(branches),
            created_ns=0,
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
        if self.diverged:
            return
        more = {"started_ms": self._exchanger.outbox.started_ms}
        problem = self._state.save(self.trainer, more) if self._state else None
        if problem:
            self._reporter.note(problem)
