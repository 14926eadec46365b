"""Build one agent's node from a set-up, and run it at the agent's site (``parse-dfl node``)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from parse_dfl.agents import AgentMix, AgentSpec
from parse_dfl.config import SETTINGS, RunConfig, to_dict, value_at
from parse_dfl.config.node import AgentFile
from parse_dfl.config.topology import GraphFile
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.splits import split
from parse_dfl.engine.agent_data import AgentData
from parse_dfl.engine.agent_io import save_agent
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import ConfigError, DivergenceError
from parse_dfl.io import cannot_write
from parse_dfl.overlays.topologies import Topology
from parse_dfl.peers.announcement import SAMPLE, class_terms, short
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, Insecure, load_identity
from parse_dfl.peers.node import Node, NodeSettings, StateFile
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.status import Reporter
from parse_dfl.peers.transport import LinkSettings, largest_message_bytes
from parse_dfl.runs.folder import locked
from parse_dfl.runs.resuming import fingerprint
from parse_dfl.runs.setup import RunSetup, build_trainer, method_of, network_spec_of
from parse_dfl.runs.shared_setup import load_data, tensors_of
from parse_dfl.settings import to_plain

TASK = "classification"
SHARED = tuple(path for path, entry in SETTINGS.items() if entry.declaration.shared)
"""Paths of the settings that are the same at every site, or no number means anything."""
AGENT = "agent.safetensors"
MOST_LINGER_S = 10.0
"""Neighbours that are still in the last round may ask for this agent's state so long."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a node listens, whom it meets, and what it keeps.

    ``listen`` and ``connect`` are ``HOST:PORT``.  ``wait_for`` agents, this one included, must be
    there before it begins, within ``meet_s`` seconds.  ``folder`` gets its checkpoints, None:
    nothing is kept.  ``ends_diverged`` says whether it ends when its own parameters are no longer
    finite.
    """

    listen: Sequence[str]
    connect: Sequence[str]
    wait_for: int
    meet_s: float
    folder: Path | None
    ends_diverged: bool = True


def build_node(
    setup: RunSetup,
    trainer: Trainer,
    identity: Identity | Insecure,
    site: Site,
    *,
    reporter: Reporter,
    stop: Stop,
) -> Node:
    """Build the node of the agent that ``trainer`` trains, and connect it.

    Raises:
        ParseDflError: it cannot listen where it should, or a setting or file cannot be used.
    """
    config = setup.config
    link = LinkSettings(
        listen=site.listen,
        connect=site.connect,
        limit_bytes=largest_message_bytes(trainer),
        lease_s=config.peer.lease_s,
        patience_s=config.peer.patience_s,
    )
    settings = NodeSettings(
        overlay=config.overlay,
        peer=config.peer,
        terms=terms_of(config, setup.data, lr=setup.method.lr),
        agree=config.data.standardise == "agreed" and setup.method.shares,
        wait_for=site.wait_for,
        meet_s=site.meet_s,
        eval_every=config.eval_every,
        checkpoint_every=config.checkpoint_every,
        ends_diverged=site.ends_diverged,
    )
    state = None
    if site.folder:
        experiment = fingerprint(config, [config.seed], setup.method.name, setup.data)
        state = StateFile(site.folder, identity.name, experiment, settings=to_dict(config))
    return Node(
        trainer,
        open_transport(link, identity, wait_s=site.meet_s, stop=stop),
        identity,
        settings,
        state=state,
        evaluation=torch.from_numpy(setup.some_evaluation_samples),
        reporter=reporter,
        topology=setup.topology,
    )


def terms_of(config: RunConfig, data: MultimodalData, *, lr: float) -> dict[str, str]:
    """Return what must be the same at every site, field by field, for an agent to announce.

    ``lr`` is the method's own rate, where none is set.
    """
    terms = {"task": TASK, **class_terms(data.label_names)}
    for path in SHARED:
        terms[SETTINGS[path].name] = short(_term(config, path, lr))
    for modality in sorted(data.modalities):
        shape = "x".join(map(str, data.shape(modality))) or "1"
        terms[short(f"{SAMPLE}{modality}")[:128]] = short(f"{data.kinds[modality]} {shape}")
    return terms


def _term(config: RunConfig, path: str, lr: float) -> str:
    value = value_at(config, path)
    if path == "training.lr" and value is None:
        value = lr
    if isinstance(value, GraphFile):
        return _file_term(Path(value.path))
    plain = to_plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, sort_keys=True)


def _file_term(path: Path) -> str:
    """Return a digest of a file's content: its path may differ from site to site."""
    try:
        digest = hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    return f"file with digest {digest}"


def final_scores(setup: RunSetup, trainer: Trainer) -> dict[str, float]:
    """Evaluate the agent on all evaluation samples."""
    return trainer.evaluate(torch.from_numpy(setup.evaluation_samples))[0][1].first()


def save_trained(setup: RunSetup, trainer: Trainer, path: Path) -> None:
    """Write the trained agent to ``path``.

    Raises:
        OutputError: the folder cannot be written to.
    """
    save_agent(
        path,
        trainer.layout.stacks[0],
        0,
        method=setup.method.name,
        network_spec=setup.network_spec,
        label_names=setup.data.label_names,
    )


def run_node(file: AgentFile, reporter: Reporter, stop: Stop) -> None:
    """Run the agent for all rounds that are left, or until it is stopped.

    Raises:
        ParseDflError: bad settings or data, a certificate that is refused, nobody there.
    """
    identity = load_identity(
        file.node.name, federation=file.node.federation, certificates=file.certificates
    )
    _make(file.folder)
    with locked(file.folder):
        _live(file, identity, reporter, stop)


def _live(file: AgentFile, identity: Identity | Insecure, reporter: Reporter, stop: Stop) -> None:
    setup = _setup(file)
    trainer = build_trainer(setup, tensors_of(setup.config, setup.data), file.node.name)
    for note in setup.data.notes(file.modalities):
        reporter.note(f"note: {note}")
    reporter.note(
        f"{identity.name} of {identity.federation}: {len(setup.split.train)} samples to train on, "
        f"{len(setup.evaluation_samples)} to test on, listening on {', '.join(file.listen)}"
    )
    site = Site(
        listen=file.listen,
        connect=file.node.connect,
        wait_for=file.node.wait_for,
        meet_s=file.node.meet_s,
        folder=file.folder,
    )
    node = build_node(setup, trainer, identity, site, reporter=reporter, stop=stop)
    try:
        node.run(stop)
        if node.diverged:
            raise DivergenceError(
                f"{identity.name} diverged in round {trainer.round} and has left the others; "
                f"start all sites anew, in other folders, at a lower lr than {trainer.lr:g}"
            )
        if trainer.round == trainer.training.rounds:
            path = file.folder / AGENT
            accuracy = final_scores(setup, trainer)["accuracy"]
            save_trained(setup, trainer, path)
            reporter.note(
                f"accuracy {100 * accuracy:.1f} % on its {setup.config.data.evaluate_on} samples; "
                f"{path} written"
            )
            node.linger(stop, seconds=min(MOST_LINGER_S, file.run.peer.deadline_s))
    finally:
        node.close()


def _setup(file: AgentFile) -> RunSetup:
    """Prepare the agent's run; all training samples of its data are its own."""
    run = file.run
    changes = [change for change in run.events if change.agent == file.node.name]
    modalities = {*file.modalities, *(change.modality for change in changes)}
    data = load_data(replace(run, agents=AgentMix(((tuple(sorted(modalities)), 1),))))
    parts = split(data, run.data.test)
    agent = AgentSpec(name=file.node.name, modalities=file.modalities, seed=run.seed)
    return RunSetup(
        config=run,
        data=data,
        split=parts,
        agent_data=[AgentData(agent, parts.train)],
        method=method_of(run),
        topology=Topology.of(run.overlay.topology),
        events=changes,
        network_spec=network_spec_of(run, data),
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
