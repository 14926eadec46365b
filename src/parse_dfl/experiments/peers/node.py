"""``parse-dfl node``: one agent at its own site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from parse_dfl.agents import AgentSpec
from parse_dfl.data.splits import Split, split
from parse_dfl.errors import DivergenceError, IdentityError
from parse_dfl.events import parse_event
from parse_dfl.experiments.config import to_dict
from parse_dfl.experiments.fingerprint import fingerprint
from parse_dfl.experiments.ingredients import (
    blueprint_of,
    check_options,
    load_data,
    options_of,
    some_of,
    torch_device,
)
from parse_dfl.experiments.lock import locked
from parse_dfl.experiments.peers.node_config import AgentFile
from parse_dfl.experiments.peers.terms import terms_of
from parse_dfl.files import cannot_write
from parse_dfl.methods.registry import build_method
from parse_dfl.methods.robust import robust_method
from parse_dfl.modalities import key
from parse_dfl.overlays.topologies import parse_topology
from parse_dfl.peer.config import NodeSettings
from parse_dfl.peer.identity import Identity, Insecure
from parse_dfl.peer.meeting import open_transport
from parse_dfl.peer.node import Node
from parse_dfl.peer.report import Reporter
from parse_dfl.peer.state import StateFile
from parse_dfl.peer.stop import Stop
from parse_dfl.peer.transport import LinkSettings, largest_message_bytes
from parse_dfl.training.agent_file import save_agent
from parse_dfl.training.learner import Learner
from parse_dfl.training.shards import Shard, TensorData

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
    learner, parts = _learner(file)
    for note in learner.data.source.notes(file.modalities):
        reporter.note(f"note: {note}")
    reporter.note(
        f"{identity.name} of {identity.federation}: {len(parts.train)} samples to train on, "
        f"{len(parts.test)} to test on, listening on {', '.join(file.listen)}"
    )
    node = _node(file, identity, learner, parts, reporter, stop)
    try:
        node.run(stop)
        if node.diverged:
            raise DivergenceError(
                f"{identity.name} diverged in round {learner.round} and has left the others; "
                f"start all sites anew, in other folders, at a lower lr than {learner.lr:g}"
            )
        if learner.round == learner.training.rounds:
            _finish(file, learner, parts, reporter)
            node.linger(stop, seconds=min(MOST_LINGER_S, file.run.peer.deadline_s))
    finally:
        node.close()


def _node(
    file: AgentFile,
    identity: Identity | Insecure,
    learner: Learner,
    parts: Split,
    reporter: Reporter,
    stop: Stop,
) -> Node:
    run, settings = file.run, file.node
    link = LinkSettings(
        listen=file.listen,
        connect=settings.connect,
        limit_bytes=largest_message_bytes(learner),
        lease_s=run.peer.lease_s,
        patience_s=run.peer.patience_s,
    )
    experiment = fingerprint(run, [run.seed], learner.method.name, learner.data.source)
    return Node(
        learner,
        open_transport(link, identity, wait_s=settings.meet_s, stop=stop),
        identity,
        NodeSettings(
            overlay=run.overlay,
            peer=run.peer,
            terms=terms_of(run, learner.data.source, lr=learner.method.lr),
            wait_for=settings.wait_for,
            meet_s=settings.meet_s,
            eval_every=run.eval_every,
            checkpoint_every=run.checkpoint_every,
        ),
        state=StateFile(file.folder, identity.name, experiment, settings=to_dict(run)),
        evaluation=torch.from_numpy(some_of(parts.test, run.eval_samples)),
        reporter=reporter,
        topology=parse_topology(run.overlay.topology),
    )


def _learner(file: AgentFile) -> tuple[Learner, Split]:
    """The agent's rows; all training samples of its data are its own."""
    run = file.run
    check_options(run)
    events = [event for event in map(parse_event, run.events) if event.agent == file.node.name]
    known = sorted({*file.modalities, *(event.modality for event in events)})
    data = load_data(replace(run, agents=f"{key(tuple(known))}=1"))
    parts = split(data, run.data.test)
    agent = AgentSpec(name=file.node.name, modalities=file.modalities, seed=run.seed)
    dtype = getattr(torch, run.training.dtype)
    learner = Learner(
        TensorData(data, torch_device(run.device), dtype),
        [Shard(agent, parts.train)],
        robust_method(build_method(run.method, options_of(run)), run.overlay.robust),
        blueprint_of(run, data),
        training=run.training,
        events=events,
    )
    return learner, parts


def _finish(file: AgentFile, learner: Learner, parts: Split, reporter: Reporter) -> None:
    cohort = learner.layout.cohorts[0]
    scores = learner.evaluate(torch.from_numpy(parts.test))[0][1].first()
    path = file.folder / AGENT
    save_agent(
        path,
        cohort,
        0,
        method=learner.method.name,
        blueprint=learner.blueprint,
        label_names=learner.data.source.label_names,
    )
    reporter.note(f"accuracy {100 * scores['accuracy']:.1f} % on its test samples; {path} written")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
