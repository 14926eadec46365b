"""Audit a finished run: read its agents and data from the folder, write ``audit.json`` there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from parse_dfl.analysis.probing.context import choose_samples
from parse_dfl.analysis.probing.measures import audit
from parse_dfl.config import AuditConfig, RunConfig, from_dict
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.engine.agent_io import TrainedAgent, load_agent
from parse_dfl.errors import CheckpointError, DataError
from parse_dfl.io import decode, read_record
from parse_dfl.methods.base import Method
from parse_dfl.records import AUDIT, SUMMARY, Audit, Summary
from parse_dfl.runs.folder import locked, read_json, write_json
from parse_dfl.runs.resuming import CONFIG
from parse_dfl.runs.setup import method_of
from parse_dfl.runs.shared_setup import NO_OVERRIDES, Overrides, SharedSetup
from parse_dfl.text import whole


def audit_run(
    directory: str | Path,
    config: AuditConfig = AuditConfig(),  # noqa: B008 - frozen
    *,
    note: Callable[[str], None] = lambda _: None,
    overrides: Overrides = NO_OVERRIDES,
) -> dict[str, Any]:
    """Audit the agents of the run in ``directory`` and write ``audit.json`` there.

    Args:
        directory: the folder of a finished run.
        config: settings of the audit.
        note: told what is going on.
        overrides: the user's objects that the run was trained with.

    Returns:
        The audit, as in ``audit.json``.

    Raises:
        CheckpointError: the folder holds no finished run, one that diverged, or an agent file that
            does not fit.
        ConfigError: the method's networks have no slices.
        DataError: the data are missing, or are not what the agents were trained on.
        OutputError: the folder cannot be written to, or another process writes there.
    """
    directory = Path(directory)
    run = _config(directory)
    with locked(directory):
        return _audit(directory, run, config, note, overrides)


def _audit(
    directory: Path,
    run: RunConfig,
    config: AuditConfig,
    note: Callable[[str], None],
    overrides: Overrides,
) -> dict[str, Any]:
    shared = SharedSetup(run, overrides)
    data, parts = shared.data, shared.split
    agents = _chosen(_agents(directory, run, data, overrides), config)
    used = np.unique(np.concatenate([part.indices for part in shared.agent_data(run.seed)]))
    where = run.data.evaluate_on
    content = {
        "method": overrides.method.name if overrides.method else run.method,
        "data": data.name,
        "seed": run.seed,
        "evaluated_on": where,
        "config": asdict(config),
        **audit(
            agents,
            data,
            choose_samples(data, parts, used, evaluate_on=where, seed=config.seed),
            config,
            note=note,
        ),
    }
    path = directory / AUDIT
    decode(content, Audit, str(path))  # what is written can be read
    write_json(path, content)
    return content


def _config(directory: Path) -> RunConfig:
    if not (directory / CONFIG).is_file():
        raise CheckpointError(f"{directory} is no run's folder: it holds no {CONFIG}")
    path = directory / SUMMARY
    diverged = read_record(path, Summary).diverged if path.is_file() else None
    if diverged:
        raise CheckpointError(
            f"{directory} cannot be audited: {diverged.sentence}, so that its slices hold nothing; "
            "run it again at a lower learning rate"
        )
    return from_dict(read_json(directory / CONFIG))


def _agents(
    directory: Path, run: RunConfig, data: MultimodalData, overrides: Overrides
) -> list[TrainedAgent]:
    """Load every agent of the run, in the order of their files' names."""
    paths = sorted((directory / "agents").glob("*.safetensors"), key=_natural)
    if not paths:
        raise CheckpointError(
            f"{directory} holds no agents to audit: a run leaves them once it is finished (of a "
            "comparison name a run's folder, METHOD/seed-N)"
        )
    method = method_of(run, overrides)
    return [_agent(path, method, data, overrides) for path in paths]


def _natural(path: Path) -> tuple[str, int, str]:
    """Return a key that sorts ``a-2`` before ``a-10``."""
    group, _, number = path.stem.rpartition("-")
    return group, whole(number) or 0, number


def _agent(path: Path, method: Method, data: MultimodalData, overrides: Overrides) -> TrainedAgent:
    trained = load_agent(path, encoders=overrides.encoders, method=method)
    data.require(trained.spec.modalities)
    if trained.label_names != data.label_names:
        raise DataError(
            f"{path} was trained on other data than {data.name!r}: on classes "
            f"{', '.join(trained.label_names[:5])}, …, not {', '.join(data.label_names[:5])}, …"
        )
    return trained


def _chosen(agents: Sequence[TrainedAgent], config: AuditConfig) -> list[TrainedAgent]:
    """Draw some agents of each group by the seed, and keep the order given."""
    groups: dict[str, list[TrainedAgent]] = {}
    for agent in agents:
        groups.setdefault(agent.spec.group, []).append(agent)
    rng = np.random.default_rng(config.seed)
    drawn = {
        members[index].spec.name
        for members in groups.values()
        for index in rng.permutation(len(members))[: config.agents_per_group].tolist()
    }
    return [agent for agent in agents if agent.spec.name in drawn]
