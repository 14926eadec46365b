"""The settings of every network, in a file that costs nothing to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AUTO = "auto"
"""The split that is proposed from the data."""

FUSIONS = ("concat", "sum", "product", "gated", "attention")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Widths and operators that all methods share, so that no method is simply larger.

    ``split`` holds the relative widths of the redundant, unique and synergistic slices of the
    latent; a slice of ratio zero does not exist; ``auto`` proposes them from the training data
    (:mod:`parse_dfl.runs.auto_split`).  ``encoders`` maps ``MODALITY`` or
    ``GROUP:MODALITY`` (``acc+gyro:acc``) to an encoder's name; what it leaves out uses the
    default of the modality's kind.
    """

    latent: int = 96
    hidden: int = 64
    split: tuple[float, float, float] | str = (1.0, 1.0, 1.0)
    fusion: str = "concat"
    dropout: float = 0.2
    encoders: Mapping[str, str] = field(default_factory=dict)
