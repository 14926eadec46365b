"""Build one agent's node: of a worker beside others, or by itself at its own site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from parse_dfl.config import to_dict
from parse_dfl.engine.agent_io import save_agent
from parse_dfl.engine.trainer import Trainer
from parse_dfl.peers.config import NodeSettings
from parse_dfl.peers.connect import open_transport
from parse_dfl.peers.identity import Identity, Insecure
from parse_dfl.peers.node import Node
from parse_dfl.peers.node_state import StateFile
from parse_dfl.peers.round_sync import Stop
from parse_dfl.peers.status import Reporter
from parse_dfl.peers.transport import LinkSettings, largest_message_bytes
from parse_dfl.runs.resuming import fingerprint
from parse_dfl.runs.setup import RunSetup
from parse_dfl.runs.terms import terms_of


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
