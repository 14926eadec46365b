"""``parse-dfl node``: one agent at its own site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from parse_dfl.agents import AgentMix, AgentSpec
from parse_dfl.config import to_dict
from parse_dfl.data.splits import Split, split
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.agent_io import save_agent
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import DivergenceError, IdentityError
from parse_dfl.io import cannot_write
from parse_dfl.methods.byzantine_aggregation import robust_method
from parse_dfl.methods.registry import build_method
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.config import NodeSettings
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.node import Node
from parse_dfl.peers.node_state import StateFile, Stop
from parse_dfl.peers.status import Reporter
from parse_dfl.peers.transport import LinkSettings, largest_message_bytes
from parse_dfl.runs.lock import locked
from parse_dfl.runs.node_config import AgentFile
from parse_dfl.runs.resuming import fingerprint
from parse_dfl.runs.setup import (
    blueprint_of,
    load_data,
    some_of,
    torch_device,
)
from parse_dfl.runs.terms import terms_of

AGENT = "agent.safetensors"
MOST_LINGER_S = 10.0
"""Neighbours that are still in the last round may ask for this agent's state so long."""


def identity_of(file: AgentFile) -> Identity | Insecure:
    """Who the agent is.

    Raises:
        IdentityError: the certificate cannot be used, or is another agent's.
        ConfigError: a name cannot be one.
    """
    if file.run.peer.insecure:
        return Insecure(file.node.name, file.node.federation)
    identity = Identity.load(file.path(file.node.certificates))
    if identity.name != file.node.name:
        raise IdentityError(
            f"the certificate in {file.node.certificates} is of {identity.name!r}, the file names "
            f"the agent {file.node.name!r}; use that agent's certificate"
        )
    return identity


def run_node(file: AgentFile, reporter: Reporter, stop: Stop) -> None:
    """Be the agent: all rounds that are left, or to the stop.

    Raises:
        ParseDflError: bad settings or data, a certificate that is refused, nobody there.
    """
    identity = identity_of(file)
    _make(file.folder)
    with locked(file.folder):
        _live(file, identity, reporter, stop)


def _live(file: AgentFile, identity: Identity | Insecure, reporter: Reporter, stop: Stop) -> None:
    trainer, parts = _learner(file)
    for note in trainer.data.source.notes(file.modalities):
        reporter.note(f"note: {note}")
    reporter.note(
        f"{identity.name} of {identity.federation}: {len(parts.train)} samples to train on, "
        f"{len(parts.test)} to test on, listening on {', '.join(file.listen)}"
    )
    node = _node(file, identity, trainer, parts, reporter, stop)
    try:
        node.run(stop)
        if node.diverged:
            raise DivergenceError(
                f"{identity.name} diverged in round {trainer.round} and has left the others; "
                f"start all sites anew, in other folders, at a lower lr than {trainer.lr:g}"
            )
        if trainer.round == trainer.training.rounds:
            _finish(file, trainer, parts, reporter)
            node.linger(stop, seconds=min(MOST_LINGER_S, file.run.peer.deadline_s))
    finally:
        node.close()


def _node(
    file: AgentFile,
    identity: Identity | Insecure,
    trainer: Trainer,
    parts: Split,
    reporter: Reporter,
    stop: Stop,
) -> Node:
    run, settings = file.run, file.node
    link = LinkSettings(
        listen=file.listen,
        connect=settings.connect,
        limit_bytes=largest_message_bytes(trainer),
        lease_s=run.peer.lease_s,
        patience_s=run.peer.patience_s,
    )
    experiment = fingerprint(run, [run.seed], trainer.method.name, trainer.data.source)
    return Node(
        trainer,
        open_transport(link, identity, wait_s=settings.meet_s, stop=stop),
        identity,
        NodeSettings(
            overlay=run.overlay,
            peer=run.peer,
            terms=terms_of(run, trainer.data.source, lr=trainer.method.lr),
            wait_for=settings.wait_for,
            meet_s=settings.meet_s,
            eval_every=run.eval_every,
            checkpoint_every=run.checkpoint_every,
        ),
        state=StateFile(file.folder, identity.name, experiment, settings=to_dict(run)),
        evaluation=torch.from_numpy(some_of(parts.test, run.eval_samples)),
        reporter=reporter,
        topology=Topology.of(run.overlay.topology),
    )


def _learner(file: AgentFile) -> tuple[Trainer, Split]:
    """The agent's rows; all training samples of its data are its own."""
    run = file.run
    events = [event for event in run.events if event.agent == file.node.name]
    known = sorted({*file.modalities, *(event.modality for event in events)})
    data = load_data(replace(run, agents=AgentMix(((tuple(known), 1),))))
    parts = split(data, run.data.test)
    agent = AgentSpec(name=file.node.name, modalities=file.modalities, seed=run.seed)
    dtype = getattr(torch, run.training.dtype)
    trainer = Trainer(
        TensorData(data, torch_device(run.device), dtype),
        [AgentData(agent, parts.train)],
        robust_method(build_method(run.method, run.options()), run.overlay.robust),
        blueprint_of(run, data),
        training=run.training,
        events=events,
    )
    return trainer, parts


def _finish(file: AgentFile, trainer: Trainer, parts: Split, reporter: Reporter) -> None:
    stack = trainer.layout.stacks[0]
    scores = trainer.evaluate(torch.from_numpy(parts.test))[0][1].first()
    path = file.folder / AGENT
    save_agent(
        path,
        stack,
        0,
        method=trainer.method.name,
        network_spec=trainer.network_spec,
        label_names=trainer.data.source.label_names,
    )
    reporter.note(f"accuracy {100 * scores['accuracy']:.1f} % on its test samples; {path} written")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
