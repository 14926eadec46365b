"""What one process of a fleet does: be an agent, tell how it goes, leave what it has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch

from parse_dfl.experiments.fingerprint import fingerprint
from parse_dfl.experiments.ingredients import Ingredients, some_of
from parse_dfl.experiments.outcome import peak_memory_bytes
from parse_dfl.experiments.peers.channel import Channel
from parse_dfl.experiments.peers.orders import Orders
from parse_dfl.experiments.peers.terms import terms_of
from parse_dfl.methods.robust import robust_method
from parse_dfl.peer.config import NodeSettings
from parse_dfl.peer.identity import Identity, Insecure
from parse_dfl.peer.meeting import open_transport
from parse_dfl.peer.node import Node
from parse_dfl.peer.report import RoundReport
from parse_dfl.peer.state import StateFile
from parse_dfl.peer.stop import Stop
from parse_dfl.peer.transport import LinkSettings, largest_message_bytes
from parse_dfl.training.agent_file import save_agent
from parse_dfl.training.batches import local_steps
from parse_dfl.training.learner import Learner
from parse_dfl.training.shards import TensorData


class _Teller:
    """Reports over the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def round(self, report: RoundReport) -> None:
        traffic = report.traffic
        self._channel.tell(
            {
                "kind": "round",
                "round": report.round,
                "payload": dict(traffic.payload_bytes),
                "missing": sorted(traffic.missing),
                "neighbours": dict(traffic.neighbours),
                "sent_bytes": report.sent_bytes,
                "received_bytes": report.received_bytes,
                "refused": report.refused,
                "scores": report.scores,
            }
        )

    def note(self, text: str) -> None:
        self._channel.tell({"kind": "note", "text": text})


def live(found: Ingredients, data: TensorData, orders: Orders, channel: Channel) -> None:
    """Run one agent to its end, and stay until the fleet no longer needs it."""
    stop, dismissed = Stop(), Event()
    learner = _learner(found, data, orders.agent)
    Thread(target=_listen, args=(channel, stop, dismissed, learner), daemon=True).start()
    identity = (
        Identity.load(Path(orders.certificates))
        if orders.certificates
        else Insecure(orders.agent, orders.federation)
    )
    node = Node(
        learner,
        open_transport(_link(found, learner, orders), identity, wait_s=orders.meet_s, stop=stop),
        identity,
        NodeSettings(
            overlay=found.config.overlay,
            peer=found.config.peer,
            terms=terms_of(found.config, found.data, lr=found.method.lr),
            wait_for=orders.wait_for,
            meet_s=orders.meet_s,
            eval_every=found.config.eval_every,
            checkpoint_every=found.config.checkpoint_every,
            ends_diverged=False,
        ),
        state=_state(found, orders),
        evaluation=torch.from_numpy(some_of(found.evaluation_samples, found.config.eval_samples)),
        reporter=_Teller(channel),
        topology=found.topology,
    )
    node.run(stop)
    outcome = _outcome(found, learner, orders)
    channel.tell({"kind": "done", "guard": node.guard_report(), **outcome})
    dismissed.wait()
    node.close()


def _listen(channel: Channel, stop: Stop, dismissed: Event, learner: Learner) -> None:
    for message in channel:
        if "hold" in message:
            stop.hold()
            channel.tell({"kind": "held", "round": learner.round + 1})  # it may just have begun
        if "stop_after" in message:
            stop.ask(message["stop_after"])
        if "dismissed" in message:
            break
    stop.ask()
    dismissed.set()


def _learner(found: Ingredients, data: TensorData, agent: str) -> Learner:
    training = found.config.training
    sizes = [len(shard.indices) for shard in found.shards]
    steps = local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)
    return Learner(
        data,
        [shard for shard in found.shards if shard.agent.name == agent],
        robust_method(found.method, found.config.overlay.robust),
        found.blueprint,
        training=replace(training, local_steps=steps),
        events=[event for event in found.events if event.agent == agent],
    )


def _link(found: Ingredients, learner: Learner, orders: Orders) -> LinkSettings:
    peer = found.config.peer
    return LinkSettings(
        listen=[orders.listen],
        connect=orders.connect,
        limit_bytes=largest_message_bytes(learner),
        lease_s=peer.lease_s,
        patience_s=peer.patience_s,
    )


def _state(found: Ingredients, orders: Orders) -> StateFile | None:
    if not orders.folder:
        return None
    folder = Path(orders.folder) / "peers" / orders.agent
    folder.mkdir(parents=True, exist_ok=True)
    config = found.config
    experiment = fingerprint(config, [config.seed], found.method.name, found.data)
    return StateFile(folder, orders.agent, experiment)


def _outcome(found: Ingredients, learner: Learner, orders: Orders) -> Mapping[str, Any]:
    """What the summary is made of; the agent's file is written on the way, at the very end."""
    cohort = learner.layout.cohorts[0]
    told: dict[str, Any] = {
        "round": learner.round,
        "group": cohort.agents[0].group,
        "parameters": sum(rows.width for rows in cohort.rows.values()),
        "branches": [str(branch) for branch in learner.layout.branches],
        "peak_memory_bytes": peak_memory_bytes(),
    }
    if learner.round == found.config.training.rounds:
        samples = torch.from_numpy(found.evaluation_samples)
        told["scores"] = learner.evaluate(samples)[0][1].first()
        if orders.folder:
            save_agent(
                Path(orders.folder) / "agents" / f"{orders.agent}.safetensors",
                cohort,
                0,
                method=found.method.name,
                blueprint=found.blueprint,
                label_names=found.data.label_names,
            )
    return {**told, "clock": vars(learner.clock)}
