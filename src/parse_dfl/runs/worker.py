"""What one process of a fleet does: be an agent, tell how it goes, leave what it has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch

from parse_dfl.engine.agent_data import TensorData
from parse_dfl.engine.agent_io import save_agent
from parse_dfl.engine.sampler import local_steps
from parse_dfl.engine.trainer import Trainer
from parse_dfl.methods.byzantine_aggregation import robust_method
from parse_dfl.peers.config import NodeSettings
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.node import Node
from parse_dfl.peers.node_state import StateFile, Stop
from parse_dfl.peers.status import RoundReport
from parse_dfl.peers.transport import LinkSettings, largest_message_bytes
from parse_dfl.runs.ipc import Channel, PeerSpec
from parse_dfl.runs.results import peak_memory_bytes
from parse_dfl.runs.resuming import fingerprint
from parse_dfl.runs.setup import RunSetup, some_of
from parse_dfl.runs.terms import terms_of


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


def live(found: RunSetup, data: TensorData, orders: PeerSpec, channel: Channel) -> None:
    """Run one agent to its end, and stay until the fleet no longer needs it."""
    stop, dismissed = Stop(), Event()
    trainer = _learner(found, data, orders.agent)
    Thread(target=_listen, args=(channel, stop, dismissed, trainer), daemon=True).start()
    identity = (
        Identity.load(Path(orders.certificates))
        if orders.certificates
        else Insecure(orders.agent, orders.federation)
    )
    node = Node(
        trainer,
        open_transport(_link(found, trainer, orders), identity, wait_s=orders.meet_s, stop=stop),
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
    outcome = _outcome(found, trainer, orders)
    channel.tell({"kind": "done", "validator": node.guard_report(), **outcome})
    dismissed.wait()
    node.close()


def _listen(channel: Channel, stop: Stop, dismissed: Event, trainer: Trainer) -> None:
    for message in channel:
        if "hold" in message:
            stop.hold()
            channel.tell({"kind": "held", "round": trainer.round + 1})  # it may just have begun
        if "stop_after" in message:
            stop.ask(message["stop_after"])
        if "dismissed" in message:
            break
    stop.ask()
    dismissed.set()


def _learner(found: RunSetup, data: TensorData, agent: str) -> Trainer:
    training = found.config.training
    sizes = [len(shard.indices) for shard in found.shards]
    steps = local_steps(sizes, training.batch_size, training.local_epochs, training.local_steps)
    return Trainer(
        data,
        [shard for shard in found.shards if shard.agent.name == agent],
        robust_method(found.method, found.config.overlay.robust),
        found.network_spec,
        training=replace(training, local_steps=steps),
        events=[event for event in found.events if event.agent == agent],
    )


def _link(found: RunSetup, trainer: Trainer, orders: PeerSpec) -> LinkSettings:
    peer = found.config.peer
    return LinkSettings(
        listen=[orders.listen],
        connect=orders.connect,
        limit_bytes=largest_message_bytes(trainer),
        lease_s=peer.lease_s,
        patience_s=peer.patience_s,
    )


def _state(found: RunSetup, orders: PeerSpec) -> StateFile | None:
    if not orders.folder:
        return None
    folder = Path(orders.folder) / "peers" / orders.agent
    folder.mkdir(parents=True, exist_ok=True)
    config = found.config
    experiment = fingerprint(config, [config.seed], found.method.name, found.data)
    return StateFile(folder, orders.agent, experiment)


def _outcome(found: RunSetup, trainer: Trainer, orders: PeerSpec) -> Mapping[str, Any]:
    """What the summary is made of; the agent's file is written on the way, at the very end."""
    stack = trainer.layout.stacks[0]
    told: dict[str, Any] = {
        "round": trainer.round,
        "group": stack.agents[0].group,
        "parameters": sum(rows.width for rows in stack.rows.values()),
        "branches": [str(branch) for branch in trainer.layout.branches],
        "peak_memory_bytes": peak_memory_bytes(),
    }
    if trainer.round == found.config.training.rounds:
        samples = torch.from_numpy(found.evaluation_samples)
        told["scores"] = trainer.evaluate(samples)[0][1].first()
        if orders.folder:
            save_agent(
                Path(orders.folder) / "agents" / f"{orders.agent}.safetensors",
                stack,
                0,
                method=found.method.name,
                network_spec=found.network_spec,
                label_names=found.data.label_names,
            )
    return {**told, "clock": vars(trainer.clock)}
