"""A peer: one agent as a process, which trains, exchanges, and outlives its neighbours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Condition
from typing import Any

from torch import Tensor

from parse_dfl.engine.divergence import parameters_are_finite
from parse_dfl.engine.sampler import local_steps
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import IdentityError, PeerError
from parse_dfl.overlays.topologies import Topology, parse_topology
from parse_dfl.peers.agreement import MomentsAgreement
from parse_dfl.peers.announcement import PeerInfo
from parse_dfl.peers.compatibility import apart, in_a_sentence, outvoted_by
from parse_dfl.peers.config import NodeSettings
from parse_dfl.peers.exchange import PeerExchanger
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.membership import Membership
from parse_dfl.peers.node_state import StateFile
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
from parse_dfl.peers.topics import Topics
from parse_dfl.peers.transport import Transport
from parse_dfl.peers.validation import MessageValidator

STATUS_TIMEOUT_S = 2.0
OUTVOTED_STAY_S = 3.0
"""How long one that differs stays: the other sites hear of it, and its like may still come."""


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
        topology = topology or parse_topology(settings.overlay.topology)
        self._validator = MessageValidator(
            federation=identity.federation,
            own=identity.name,
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
            share_second=trainer.training.share_moments == "second",
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
        self._agreement = self._new_agreement(topology) if settings.agree else None
        self._announced: tuple[str, ...] = ()
        self._noted: dict[tuple[str, str], str] = {}
        """What was said of others, by topic and name, so that it is said once."""
        self.diverged = False
        """Whether the agent's parameters are no longer finite: it has left the others."""

    def _new_agreement(self, topology: Topology) -> MomentsAgreement:
        return MomentsAgreement(
            self.trainer,
            self._exchanger.outbox,
            self._exchanger.arrivals,
            self._validator,
            topology,
        )

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._identity.name

    @property
    def _in_lockstep(self) -> bool:
        """Whether rounds of different agents are the same rounds: not where all keep their pace."""
        return self._settings.peer.pace == "synchronous"

    def validation_report(self) -> dict[str, Any]:
        """Return what was accepted and refused, by sender and reason."""
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
        end = time.monotonic() + seconds
        with self._changed:
            while not stop.asked and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.2))

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
        """End an agent that all others refuse: it would learn alone."""
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
        self._wait_for_others(stop)
        if self._agreement and not self._agreement.done and not stop.asked:
            self._agree(self._agreement, stop)
        if self._in_lockstep:
            self._round_sync.catch_up()
        self._exchanger.prepare(self.trainer)

    def _wait_for_others(self, stop: Stop) -> None:
        """Wait until enough are there that have the same terms.

        Agents with other terms are left out, and it is said; one that is outvoted ends.
        """
        end = time.monotonic() + self._settings.meet_s

        def news(view: Mapping[str, PeerInfo]) -> bool:
            new = any(("terms", name) not in self._noted for name in self.membership.differing())
            return new or self._is_enough(view, stop) or self._is_outvoted()

        while self.membership.wait(news, timeout_s=end - time.monotonic()):
            self._note_differing()
            if self._is_enough(self.membership.view(), stop):
                return
            if self._is_outvoted():
                self.linger(stop, seconds=OUTVOTED_STAY_S)
                self._end_if_outvoted()
        there, differing = len(self.membership.view()), self._differences()
        raise PeerError(
            f"{there} of {self._settings.wait_for} agents were there after "
            f"{self._settings.meet_s:g} s "
            f"(connections to {self._transport.peers()} peers); an agent that learns alone is "
            "no federation: check the addresses to connect to, or lower wait_for"
            + (f". Others are there and differ: {differing}" if differing else "")
        )

    def _is_enough(self, view: Mapping[str, PeerInfo], stop: Stop) -> bool:
        return stop.asked or (len(view) >= self._settings.wait_for and not self._is_outvoted())

    def _is_outvoted(self) -> bool:
        """Whether enough are there to begin, and more of them agree with each other than with
        this agent."""
        others = self.membership.others()
        enough = len(others) + 1 >= self._settings.wait_for
        return enough and bool(outvoted_by(self.membership.own, others))

    def _end_if_outvoted(self) -> None:
        if self._is_outvoted():
            raise PeerError(
                f"sites of {self._identity.federation} differ: {self._differences()}; make them "
                "the same at every site, in the same order where they are lists"
            )

    def _differences(self) -> str:
        return "; ".join(map(in_a_sentence, self.membership.differing().values()))

    def _agree(self, agreement: MomentsAgreement, stop: Stop) -> None:
        """Agree on the standardisation with all that are there, once all see the same."""
        end = time.monotonic() + self._settings.peer.deadline_s
        while True:
            view, statuses = self.membership.view(), self._statuses()
            over = stop.asked or time.monotonic() >= end
            if over or same_living(statuses, view.keys(), own=self.name):
                break
            self.linger(stop, seconds=0.05)
        agreement.agree(view, agreed_of(statuses), self._reporter.note)
        self._status.agreed = True
        self._reporter.agreed(agreement.payload_bytes)

    def _living(self) -> set[str]:
        return set(self.membership.view())

    def _statuses(self) -> dict[str, Status]:
        """Return what the living say of themselves; those that do not answer in time are left
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
        self._note_apart()
        if not self._exchanger.is_absent(self.trainer):
            self.trainer.train(set())
        self._leave_if_diverged()
        mixing = time.perf_counter()
        stats = self._nothing_sent() if self.diverged else self._exchanger.exchange(self.trainer)
        self._pacer.exchanged(trained_s=mixing - begin)
        self.trainer.clock.mix += time.perf_counter() - mixing
        scores = self._evaluate_if_due()
        if self.trainer.round % self._settings.checkpoint_every == 0:
            self._save()
        self._status.round(stats, scores, time.perf_counter() - begin, diverged=self.diverged)
        if self._in_lockstep:
            self._round_sync.keep(stats)

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

    def _nothing_sent(self) -> RoundStats:
        return RoundStats(
            round=self.trainer.round, payload_bytes={}, neighbours={}, rounds={}, lockstep_lead=0
        )

    def _announce_changes(self) -> None:
        info = self._info()
        if self.diverged:
            return
        if info.modalities != self._announced:
            self._announced = info.modalities
            self.membership.announce(info)

    def _note_apart(self) -> None:
        reasons = apart(self.membership.view(), self.name)
        for name, reason in reasons.items():
            self._note_once(("branches", name), f"{name} {reason}")
        self._note_differing()

    def _note_differing(self) -> None:
        for name, lines in self.membership.differing().items():
            self._note_once(("terms", name), f"{name} is ignored: {in_a_sentence(lines)}")

    def _note_once(self, key: tuple[str, str], text: str) -> None:
        if self._noted.get(key) != text:
            self._noted[key] = text
            self._reporter.note(text)

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
