"""The settings of an audit, in a file that costs nothing to import."""

from __future__ import annotations

from typing import ClassVar

from parse_dfl.settings import Settings, setting
from parse_dfl.text import LARGEST


class AuditConfig(Settings):
    """How many agents of each modality set are audited (None: all), and how."""

    keyword: ClassVar[str] = "an audit"
    agents_per_group: int | None = setting(
        2, "--agents-per-group COUNT|all", "agents of each modality set, drawn", at_least=1
    )
    probe_steps: int = setting(
        400, "--probe-steps COUNT", "training steps of each probe", at_least=1, at_most=LARGEST
    )
    seed: int = setting(0, "--seed N", "of probes and draws", at_least=0, at_most=LARGEST)
