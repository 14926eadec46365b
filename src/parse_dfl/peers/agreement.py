"""Agree on the standardisation over the network, before the first round.

The rule is the simulator's (:mod:`parse_dfl.engine.gossip_standardisation`): the owners of a
modality average the moments of their samples with their neighbours, step by step.  A step is a
message like a round's, of the pseudo-branch ``MODALITY/moments/NUMBERS``: sent, waited for, asked
for again and validated by the same code.

Who comes when others have agreed takes the average of what its neighbours hold, and who starts
again what its checkpoint holds: neither changes what the others train on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec
from parse_dfl.branches import Branch
from parse_dfl.data.standardise import Moments
from parse_dfl.engine.gossip import BYTES_PER_NUMBER
from parse_dfl.engine.gossip_standardisation import STEPS, merge_rows
from parse_dfl.engine.trainer import Trainer
from parse_dfl.overlays.mixing_matrix import MixingMatrix, metropolis
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.announcement import PeerInfo
from parse_dfl.peers.authority import Reason, Rejected
from parse_dfl.peers.delivery import Receiver, Sender
from parse_dfl.peers.membership import Neighbours
from parse_dfl.peers.messages import Schema
from parse_dfl.peers.validation import MessageValidator

NAME, COMPONENT = "moments", "moments"
Row = NDArray[np.float64]  # shape=(1 + 2F,): count, means, sums of squared deviations


@dataclass(kw_only=True)
class _Modality:
    """A modality of this agent's, and its moments after the steps so far."""

    branch: Branch
    moments: Moments
    row: Row
    owners: tuple[AgentSpec, ...] = ()
    """All that take part, this agent included, sorted by name."""
    holders: tuple[AgentSpec, ...] = ()
    """The others that have agreed already."""
    heard: bool = False


@dataclass
class MomentsAgreement:
    """Agreement of this agent with the other owners of its modalities on their standardisation.

    Args:
        trainer: whose samples they are; of one agent, before its first round.
        sender, receiver, validator: of its exchange.
        topology: gives the overlay of each modality.
        steps: gossip steps.
        payload_bytes: counts what was sent as in the simulator, by receiver.
    """

    trainer: Trainer
    sender: Sender
    receiver: Receiver
    validator: MessageValidator
    topology: Topology
    steps: int = STEPS
    payload_bytes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._done = False
        self._modalities = {
            name: _Modality(
                branch=Branch(name, COMPONENT, str(len(moments.row()))),
                moments=moments,
                row=moments.row(),
            )
            for name, moments in _moments(self.trainer).items()
        }

    @property
    def held_as(self) -> int:
        """The step as which the agreed moments are kept for latecomers."""
        return self.steps + 1

    @property
    def done(self) -> bool:
        """Whether the samples are standardised by agreed moments."""
        return self._done

    def rows(self) -> dict[str, list[float]]:
        """Return the moments by modality, for a checkpoint."""
        return {name: modality.row.tolist() for name, modality in self._modalities.items()}

    def restore(self, rows: Mapping[str, Sequence[float]]) -> None:
        """Go on with the moments of a checkpoint."""
        for name, row in rows.items():
            self._modalities[name].row = np.array(row)
        self._finish()

    def agree(
        self, view: Mapping[str, PeerInfo], agreed: Collection[str], note: Callable[[str], None]
    ) -> None:
        """Agree with all in ``view``, of whom the ``agreed`` have done so before.

        Nothing blocks for longer than the exchange's deadline.  A modality of which nobody was
        heard keeps this agent's own moments, and ``note`` hears of it.
        """
        modalities, me = list(self._modalities.values()), self._agent.name
        for modality in modalities:
            name = modality.branch.modality
            owners = [view[peer].agent for peer in sorted(view) if name in view[peer].modalities]
            modality.holders = tuple(a for a in owners if a.name in agreed and a.name != me)
            modality.owners = tuple(agent for agent in owners if agent not in modality.holders)
            schema = Schema.of({NAME: torch.from_numpy(modality.row)})
            self.validator.expect(str(modality.branch), schema, check=check_moments)
        self._gossip([modality for modality in modalities if not modality.holders])
        for modality in modalities:
            if not modality.heard and not modality.holders:
                # Those that began just before this agent came do not listen to it.
                modality.holders = tuple(a for a in modality.owners if a.name != me)
        self._take_held([m for m in modalities if not m.heard and m.holders])
        for modality in modalities:
            self.validator.forget(str(modality.branch))
            if not modality.heard and modality.holders:
                note(
                    f"no owner of {modality.branch.modality} was heard: it is standardised by this "
                    "agent's samples alone"
                )
        self._finish()

    @property
    def _agent(self) -> AgentSpec:
        return self.trainer.layout.agents[0]

    def _gossip(self, modalities: Sequence[_Modality]) -> None:
        """Average with the neighbours, step by step."""
        varies = self.topology.time_varying
        overlays: list[tuple[Neighbours, dict[str, float]]] = []
        for step in range(1, self.steps + 1) if modalities else ():
            if varies or not overlays:
                overlays = [self._neighbours(modality, step) for modality in modalities]
            neighbours = [group for group, _ in overlays]
            self.receiver.want(neighbours)
            if not varies:  # else one may be many steps behind, and ask for what it missed
                self.sender.forget_before(step)
            for modality, group in zip(modalities, neighbours, strict=True):
                self._send(modality, group, step)
            self.receiver.wait(neighbours, step, lead=self.steps if varies else 1)
            self.receiver.sort_in(step)
            for modality, (_, weights) in zip(modalities, overlays, strict=True):
                self._merge(modality, weights, step)

    def _neighbours(self, modality: _Modality, step: int) -> tuple[Neighbours, dict[str, float]]:
        """Return the neighbours of a step, and the weight of each that sends."""
        owners, label = modality.owners, modality.branch.modality
        names = [agent.name for agent in owners]
        edges = self.topology.edges(names, round=step, seed=self._agent.seed, label=label)
        mixing, row = metropolis(edges), names.index(self._agent.name)
        to_own, from_own = mixing.target == row, mixing.source == row
        senders = [owners[index] for index in mixing.source[to_own]]
        receivers = [owners[index] for index in mixing.target[from_own]]
        audible = [agent for agent in owners if agent.name != self._agent.name]
        neighbours = Neighbours(
            branch=modality.branch,
            label=label,
            degree=len(senders),
            receivers=tuple(sorted(receivers, key=_name)),
            senders=tuple(sorted(senders, key=_name)),
            audible=tuple(map(_name, audible if self.topology.time_varying else senders)),
        )
        weights = mixing.weight[to_own].tolist()
        return neighbours, dict(zip(map(_name, senders), weights, strict=True))

    def _send(self, modality: _Modality, neighbours: Neighbours, step: int) -> None:
        row = torch.from_numpy(modality.row)
        samples = int(self.trainer.layout.stacks[0].data.sizes[0])
        self.sender.post(neighbours, {NAME: row[None]}, {}, round=step, samples=samples)
        for receiver in neighbours.receivers:
            sent = self.payload_bytes.get(receiver.name, 0)
            self.payload_bytes[receiver.name] = sent + len(row) * BYTES_PER_NUMBER

    def _merge(self, modality: _Modality, weights: Mapping[str, float], step: int) -> None:
        """Average with the rows that came; what is missing leaves its weight with the own row."""
        arrived = self._arrived(modality, weights, step)
        rows = np.stack([modality.row, *arrived.values()])
        weight = np.array([weights[name] for name in arrived])
        modality.row = merge_rows(rows, _to_first(weight))[0]
        modality.heard |= bool(arrived)

    def _arrived(self, modality: _Modality, names: Iterable[str], step: int) -> dict[str, Row]:
        branch = str(modality.branch)
        states = {name: self.receiver.states.at(name, branch, step) for name in names}
        return {name: state.tensors[NAME].numpy() for name, state in states.items() if state}

    def _take_held(self, modalities: Sequence[_Modality]) -> None:
        """Take the average of what the neighbours among those that have agreed hold."""
        if not modalities:
            return
        for modality in modalities:
            modality.owners = tuple(sorted({self._agent, *modality.holders}, key=_name))
        neighbours = [self._neighbours(modality, self.held_as)[0] for modality in modalities]
        self.receiver.late.clear()
        self.receiver.want(neighbours)
        self.receiver.wait(neighbours, self.held_as, lead=0)
        self.receiver.sort_in(self.held_as)
        for modality, group in zip(modalities, neighbours, strict=True):
            rows = list(self._arrived(modality, group.audible, self.held_as).values())
            if rows:
                shares = np.full(len(rows) - 1, 1 / len(rows))
                modality.row = merge_rows(np.stack(rows), _to_first(shares))[0]
                modality.heard = True

    def _finish(self) -> None:
        """Standardise the samples, and keep the moments for whoever asks for them."""
        standardisers = {
            name: modality.moments.standardiser(modality.row)
            for name, modality in self._modalities.items()
        }
        self.trainer.standardise_by([standardisers])
        self._done = True
        for modality in self._modalities.values():
            row = torch.from_numpy(modality.row)
            samples = int(self.trainer.layout.stacks[0].data.sizes[0])
            self.sender.hold(modality.branch, {NAME: row}, round=self.held_as, samples=samples)


def _moments(trainer: Trainer) -> dict[str, Moments]:
    """Return the moments of the agent's samples, by modality."""
    source, (agent_data,) = trainer.data.source, trainer.agent_data
    return {
        name: Moments.of(source.modalities[name][agent_data.indices], source.kinds[name])
        for name in agent_data.agent.modalities
    }


def check_moments(tensors: Mapping[str, Tensor]) -> None:
    """Check that a row of finite numbers can be the moments of samples.

    Raises:
        Rejected: it cannot: there are no entries, or a sum of squares is negative (``values``).
    """
    row = tensors[NAME]
    if not (row[0] > 0 and bool((row[1 + len(row) // 2 :] >= 0).all())):
        raise Rejected(Reason.VALUES, "moments of no samples")


def _to_first(weight: NDArray[np.float64]) -> MixingMatrix:
    """Return the mixing in which the first row hears of the others with these weights."""
    others = np.arange(1, len(weight) + 1)
    return MixingMatrix.of(others, np.zeros_like(others), weight, size=len(weight) + 1)


def _name(agent: AgentSpec) -> str:
    return agent.name
