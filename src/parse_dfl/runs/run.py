"""Run one method with one seed into one folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.config import RunConfig, from_dict, to_dict, with_values
from parse_dfl.errors import ConfigError
from parse_dfl.process import launch
from parse_dfl.runs.callbacks import LOGGING, Listener
from parse_dfl.runs.folder import output_folder, read_json
from parse_dfl.runs.launcher import Launcher
from parse_dfl.runs.resuming import claim, kept_run

if TYPE_CHECKING:
    from parse_dfl.runs.shared_setup import Overrides


def run(
    config: RunConfig,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener = LOGGING,
    overrides: Overrides | None = None,
) -> dict[str, Any]:
    """Train, evaluate, and write the records to ``out`` (None: keep nothing).

    Returns:
        The summary, as in ``summary.json``.

    Raises:
        ParseDflError: bad settings, data or folder; nothing is lost.
    """
    config = config.for_method(config.method)
    folder = None if out is None else Path(out)
    if config.engine == "peers":
        check_engine(config, overrides=overrides is not None)
        return _run_peers(config, folder, resume=resume, overwrite=overwrite, listener=listener)
    from parse_dfl.ranks.group import launched_ranks
    from parse_dfl.runs.session import CHECKPOINT, Session
    from parse_dfl.runs.setup import build_trial
    from parse_dfl.runs.shared_setup import NO_OVERRIDES, SharedSetup

    ranks = launched_ranks()
    overrides = overrides or NO_OVERRIDES
    with ExitStack() as held:
        with ranks.raise_together():
            shared = SharedSetup(config, overrides)
            trial = build_trial(config, [config.seed], overrides, ranks, shared)
            if folder is not None and ranks.is_main:
                held.enter_context(output_folder(folder, overwrite=overwrite, resume=resume))
                claim(folder, config)
        if ranks.is_main:
            shared.tell_notes(listener)
        folders = {config.seed: folder} if folder else {}
        session = Session(trial, folders, folder / CHECKPOINT if folder else None, listener)
        if resume:
            session.resume()
        return session.run()[config.seed]


def check_engine(config: RunConfig, *, overrides: bool) -> None:
    """Refuse what peers cannot do.

    Raises:
        ConfigError: it is asked for; or torchrun started this process and others.
    """
    if launch().size > 1:
        raise ConfigError(
            "engine 'peers' starts a process an agent by itself; run it without torchrun"
        )
    refused = {
        "the oracle, which is centralised": config.method == "oracle",
        "--compile": config.compile,
        f"--device {config.device}": config.device != "cpu",
        "--dtype bfloat16": config.training.dtype == "bfloat16",
        "--record": bool(config.record),
        "ingredients of your own from Python": overrides,
    }
    for what, asked in refused.items():
        if asked:
            raise ConfigError(f"engine 'peers' cannot run {what}; use engine 'simulate'")


def _run_peers(
    config: RunConfig, folder: Path | None, *, resume: bool, overwrite: bool, listener: Listener
) -> dict[str, Any]:
    """Start the peers, gather their reports, and end them whatever happens."""
    with Launcher(config, folder) as launcher, ExitStack() as held:
        # The launcher's fork server loads torch by now, while this process loads it, too.
        from parse_dfl.runs.peer_session import PeerSession
        from parse_dfl.runs.setup import prepare
        from parse_dfl.runs.shared_setup import SharedSetup

        shared = SharedSetup(config)
        setup = prepare(config, [config.seed], shared=shared)
        if folder is not None:
            held.enter_context(output_folder(folder, overwrite=overwrite, resume=resume))
            claim(folder, config)
        shared.tell_notes(listener)
        session = PeerSession(setup, folder, listener)
        if resume:
            session.resume()
        launcher.enlist([part.agent.name for part in setup.agent_data])
        return session.run(launcher)


def resume_run(
    directory: str | Path,
    listener: Listener = LOGGING,
    overrides: Overrides | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Go on with a run that was stopped; one that is finished gives its summary again.

    ``changes`` are settings by path that no number depends on (``resuming.FREE``).

    Raises:
        CheckpointError: the folder holds no run, or its checkpoint is damaged.
    """
    from parse_dfl.ranks.group import launched_ranks

    directory = Path(directory)
    ranks = launched_ranks()
    with ranks.raise_together():
        left = _left_behind(directory) if ranks.is_main else None
    summary, kept = ranks.broadcast(left)
    if summary is not None:
        return dict(summary)
    config = with_values(from_dict(kept), changes or {})
    return run(config, out=directory, resume=True, listener=listener, overrides=overrides)


def _left_behind(directory: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the summary of a run, if it is finished, and else its configuration."""
    if (directory / "summary.json").is_file():
        return read_json(directory / "summary.json"), {}
    return None, to_dict(kept_run(directory).config)
