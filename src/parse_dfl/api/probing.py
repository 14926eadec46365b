"""Probes of a result: what the slices of its trained agents hold."""

from __future__ import annotations

import logging
from typing import Any

from parse_dfl.analysis.probing.config import AuditConfig
from parse_dfl.api.result import Result
from parse_dfl.runs.audit import audit_run

logger = logging.getLogger("parse_dfl")


def probe(
    result: Result, *, agents_per_group: int | None = 2, probe_steps: int = 400, seed: int = 0
) -> dict[str, Any]:
    """Measure what the slices of a result's agents hold, as ``parse-dfl audit`` does.

    The measures are written to ``audit.json`` in the result's folder too, and are part of its
    report from then on.

    Args:
        result: a run of a method with slices.
        agents_per_group: agents of each modality set, drawn by the seed; None: all.
        probe_steps: minibatch steps of each probe.
        seed: of probes and draws.

    Raises:
        ParseDflError: the method's networks have no slices, or a setting is out of its range.
    """
    config = AuditConfig(agents_per_group=agents_per_group, probe_steps=probe_steps, seed=seed)
    return audit_run(result.folder, config, note=logger.info, own=result.own)
