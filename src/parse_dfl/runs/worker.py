"""What one process of a fleet does: be an agent, tell how it goes, leave what it has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

from parse_dfl.engine.agent_data import TensorData
from parse_dfl.engine.trainer import Trainer
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.status import RoundReport
from parse_dfl.runs.launcher import Channel, PeerSpec
from parse_dfl.runs.node_setup import Site, build_node, final_scores, save_trained
from parse_dfl.runs.results import peak_memory_bytes
from parse_dfl.runs.setup import RunSetup, build_trainer


class _Teller:
    """Reports over the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def round(self, report: RoundReport) -> None:
        stats = report.stats
        self._channel.tell(
            {
                "kind": "round",
                "round": report.round,
                "payload": dict(stats.payload_bytes),
                "missing": sorted(stats.missing),
                "neighbours": dict(stats.neighbours),
                "sent_bytes": report.sent_bytes,
                "received_bytes": report.received_bytes,
                "refused": report.refused,
                "scores": report.scores,
            }
        )

    def note(self, text: str) -> None:
        self._channel.tell({"kind": "note", "text": text})


def live(setup: RunSetup, tensors: TensorData, spec: PeerSpec, channel: Channel) -> None:
    """Run one agent to its end, and stay until the launcher no longer needs it."""
    stop, dismissed = Stop(), Event()
    trainer = build_trainer(setup, tensors, spec.agent)
    Thread(target=_listen, args=(channel, stop, dismissed, trainer), daemon=True).start()
    identity = (
        Identity.load(Path(spec.certificates))
        if spec.certificates
        else Insecure(spec.agent, spec.federation)
    )
    site = Site(
        listen=[spec.listen],
        connect=spec.connect,
        wait_for=spec.wait_for,
        meet_s=spec.meet_s,
        folder=_state_folder(spec),
        ends_diverged=False,
    )
    node = build_node(setup, trainer, identity, site, reporter=_Teller(channel), stop=stop)
    node.run(stop)
    outcome = _outcome(setup, trainer, spec)
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


def _state_folder(spec: PeerSpec) -> Path | None:
    if not spec.folder:
        return None
    folder = Path(spec.folder) / "peers" / spec.agent
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _outcome(setup: RunSetup, trainer: Trainer, spec: PeerSpec) -> Mapping[str, Any]:
    """Return what the summary is made of; at the very end, write the agent's file."""
    stack = trainer.layout.stacks[0]
    outcome: dict[str, Any] = {
        "round": trainer.round,
        "group": stack.agents[0].group,
        "parameters": sum(rows.width for rows in stack.rows.values()),
        "branches": [str(branch) for branch in trainer.layout.branches],
        "peak_memory_bytes": peak_memory_bytes(),
    }
    if trainer.round == setup.config.training.rounds:
        outcome["scores"] = final_scores(setup, trainer)
        if spec.folder:
            save_trained(setup, trainer, Path(spec.folder) / "agents" / f"{spec.agent}.safetensors")
    return {**outcome, "clock": vars(trainer.clock)}
