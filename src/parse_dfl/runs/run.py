"""One run: one method, one seed, one folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.config import (
    RunConfig,
    from_dict,
    to_dict,
    with_values,
)
from parse_dfl.runs.callbacks import LOGGING, Listener
from parse_dfl.runs.folder import output_folder, read_json
from parse_dfl.runs.peer_session import check_alone, check_engine, run_peers
from parse_dfl.runs.resuming import claim, kept_run

if TYPE_CHECKING:
    from parse_dfl.runs.setup import Own


def run(
    config: RunConfig,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener = LOGGING,
    own: Own | None = None,
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
        check_alone()
        check_engine(config, own=own is not None)
        return run_peers(config, folder, resume=resume, overwrite=overwrite, listener=listener)
    from parse_dfl.ranks.group import launched_ranks
    from parse_dfl.runs.session import CHECKPOINT, Session
    from parse_dfl.runs.setup import NOTHING_OWN, tell_notes
    from parse_dfl.runs.trial import build_trial

    ranks = launched_ranks()
    with ExitStack() as held:
        with ranks.agreeing():
            trial = build_trial(config, [config.seed], own or NOTHING_OWN, ranks)
            if folder is not None and ranks.leads:
                held.enter_context(output_folder(folder, overwrite=overwrite, resume=resume))
                claim(folder, config)
        if ranks.leads:
            tell_notes(trial.simulator.data.source, config.agents, listener)
        folders = {config.seed: folder} if folder else {}
        session = Session(trial, folders, folder / CHECKPOINT if folder else None, listener)
        if resume:
            session.resume()
        return session.run()[config.seed]


def resume_run(
    directory: str | Path,
    listener: Listener = LOGGING,
    own: Own | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Go on with a run that was stopped; one that is finished gives its summary again.

    ``changes`` are settings by place that no number depends on (``resuming.FREE``).

    Raises:
        CheckpointError: the folder holds no run, or its checkpoint is damaged.
    """
    from parse_dfl.ranks.group import launched_ranks

    directory = Path(directory)
    ranks = launched_ranks()
    with ranks.agreeing():
        found = _left_behind(directory) if ranks.leads else None
    summary, kept = ranks.tell(found)
    if summary is not None:
        return dict(summary)
    config = with_values(from_dict(kept), changes or {})
    return run(config, out=directory, resume=True, listener=listener, own=own)


def _left_behind(directory: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The summary of a run, if it is finished, and else its configuration."""
    if (directory / "summary.json").is_file():
        return read_json(directory / "summary.json"), {}
    return None, to_dict(kept_run(directory).config)
