"""One run: one method, one seed, one folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.errors import CheckpointError
from parse_dfl.experiments.config import RunConfig, from_dict, to_dict, validate
from parse_dfl.experiments.listeners import SILENT, Listener
from parse_dfl.experiments.peers.run import check_alone, check_engine, run_peers
from parse_dfl.experiments.records import output_folder, read_json, write_json

if TYPE_CHECKING:
    from parse_dfl.experiments.own import Own

CONFIG = "config.json"


def run(
    config: RunConfig,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener = SILENT,
    own: Own | None = None,
) -> dict[str, Any]:
    """Train, evaluate, and write the records to ``out`` (None: keep nothing).

    Returns:
        The summary, as in ``summary.json``.

    Raises:
        ParseDflError: bad settings, data or folder; nothing is lost.
    """
    validate(config)
    folder = None if out is None else Path(out)
    if config.engine == "peers":
        check_alone()
        check_engine(config, own=own is not None)
        return run_peers(config, folder, resume=resume, overwrite=overwrite, listener=listener)
    from parse_dfl.experiments.ingredients import tell_notes
    from parse_dfl.experiments.own import NOTHING_OWN
    from parse_dfl.experiments.session import CHECKPOINT, Session
    from parse_dfl.experiments.trial import build_trial
    from parse_dfl.ranks.ranks import launched_ranks

    ranks = launched_ranks()
    with ExitStack() as held:
        with ranks.agreeing():
            trial = build_trial(config, [config.seed], own or NOTHING_OWN, ranks)
            if folder is not None and ranks.leads:
                held.enter_context(output_folder(folder, overwrite=overwrite, resume=resume))
                write_json(folder / CONFIG, to_dict(config))
        if ranks.leads:
            tell_notes(trial.simulator.data.source, config.agents, listener)
        folders = {config.seed: folder} if folder else {}
        session = Session(trial, folders, folder / CHECKPOINT if folder else None, listener)
        if resume:
            session.resume()
        return session.run()[config.seed]


def resume_run(
    directory: str | Path, listener: Listener = SILENT, own: Own | None = None
) -> dict[str, Any]:
    """Go on with a run that was stopped; one that is finished gives its summary again.

    Raises:
        CheckpointError: the folder holds no run, or its checkpoint is damaged.
    """
    from parse_dfl.ranks.ranks import launched_ranks

    directory = Path(directory)
    ranks = launched_ranks()
    with ranks.agreeing():
        found = _left_behind(directory) if ranks.leads else None
    summary, config = ranks.tell(found)
    if summary is not None:
        return dict(summary)
    return run(from_dict(config), out=directory, resume=True, listener=listener, own=own)


def _left_behind(directory: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The summary of a run, if it is finished, and else its configuration."""
    if (directory / "summary.json").is_file():
        return read_json(directory / "summary.json"), {}
    if not (directory / CONFIG).is_file():
        raise CheckpointError(f"nothing to resume: {directory} holds no {CONFIG} of a run")
    return None, read_json(directory / CONFIG)
