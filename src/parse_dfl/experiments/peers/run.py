"""``--engine peers``: the same experiment with a process an agent, and the same records."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from parse_dfl.errors import ConfigError
from parse_dfl.experiments.config import RunConfig
from parse_dfl.experiments.listeners import Listener
from parse_dfl.experiments.peers.fleet import Fleet
from parse_dfl.experiments.peers.node_config import check_seed
from parse_dfl.experiments.records import output_folder
from parse_dfl.experiments.resuming import claim
from parse_dfl.ranks.launch import launch


def check_engine(config: RunConfig, *, own: bool) -> None:
    """Refuse what peers cannot do.

    Raises:
        ConfigError: it is asked for.
    """
    check_seed(config.seed)
    refused = {
        "the oracle, which is centralised": config.method == "oracle",
        "--compile": config.compile,
        f"--device {config.device}": config.device != "cpu",
        "--dtype bfloat16": config.training.dtype == "bfloat16",
        "--record": bool(config.record),
        "ingredients of your own from Python": own,
    }
    for what, asked in refused.items():
        if asked:
            raise ConfigError(f"engine 'peers' cannot run {what}; use engine 'simulate'")


def check_alone() -> None:
    """Refuse to start peers from each of several processes.

    Raises:
        ConfigError: torchrun started this process and others.
    """
    if launch().size > 1:
        raise ConfigError(
            "engine 'peers' starts a process an agent by itself; run it without torchrun"
        )


def run_peers(
    config: RunConfig, folder: Path | None, *, resume: bool, overwrite: bool, listener: Listener
) -> dict[str, Any]:
    """Start the peers, gather what they tell, and end them whatever happens.

    Returns:
        The summary, as in ``summary.json``.

    Raises:
        ParseDflError: bad settings, data or folder, or a peer that ended before its time.
    """
    with Fleet(config, folder) as fleet, ExitStack() as held:
        # The fleet's nursery is loading by now, so that these imports cost no time of their own.
        from parse_dfl.experiments.ingredients import check_options, gather, tell_notes
        from parse_dfl.experiments.peers.session import PeerSession

        check_options(config)
        found = gather(config, [config.seed])
        if folder is not None:
            held.enter_context(output_folder(folder, overwrite=overwrite, resume=resume))
            claim(folder, config)
        tell_notes(found.data, config.agents, listener)
        session = PeerSession(found, folder, listener)
        if resume:
            session.resume()
        fleet.enlist([shard.agent.name for shard in found.shards])
        return session.run(fleet)
