"""The settings of an audit, in a file that costs nothing to import."""

from __future__ import annotations

from dataclasses import dataclass

from parse_dfl.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """``agents_per_group``: agents of each modality set, drawn by the seed (None: all);
    ``probe_steps``: minibatch steps of each probe; ``seed``: of probes and draws.

    Raises:
        ConfigError: a setting is out of its range.
    """

    agents_per_group: int | None = 2
    probe_steps: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"agents_per_group": 1, "probe_steps": 1, "seed": 0}
        for name, smallest in least.items():
            value = getattr(self, name)
            if value is not None and value < smallest:
                raise ConfigError(f"{name} of an audit must be at least {smallest}, not {value}")
