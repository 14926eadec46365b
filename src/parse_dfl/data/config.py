"""The settings of the data, in a file that costs nothing to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EVALUATION_PARTS = ("test", "validation")
STANDARDISERS = ("own", "agreed")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data, how they are parted, and how much of them each agent has.

    ``data`` is a name of the catalog or the path of a ``.npz`` file.  ``samples_per_agent`` is
    a number (``64``), a range (``16..128``) or either per modality set
    (``acc=64,acc+gyro=32``); None is the partition's default.  ``kind`` maps a modality to its
    kind where its shape does not tell, with its axes as in ``image:chw``; ``subject_key`` names
    the column to take as subject.
    ``standardise`` is by each agent's ``own`` training samples, or by moments that the owners of
    a modality have ``agreed`` on before the first round
    (:mod:`parse_dfl.engine.gossip_standardisation`).
    """

    data: str = "digits"
    partition: str = "iid"
    test: str = "auto"
    samples_per_agent: str | None = None
    evaluate_on: str = "test"
    standardise: str = "own"
    kind: Mapping[str, str] = field(default_factory=dict)
    subject_key: str | None = None
    data_dir: str | None = None
