"""CREMA-D crowd perception: what about ten people heard, saw, or both, in 7442 acted clips.

Each modality (``voice``, ``face``, ``audiovisual``) is a vector of 12: the share of the answers
that each of six emotions got, and the mean intensity given to it (0 to 1).  The label is the
emotion that the actor was told to show; the actor is the subject.

Source: H. Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE
Transactions on Affective Computing 5(4), 2014.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parse_dfl.data.adapters.files import read_arrays
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping

MODALITIES = ("voice", "face", "audiovisual")
KEYS = ("actor", "sentence", "intensity", "age", "sex", "race")
HIGHEST_LEVEL = 100.0


def read(folder: Path) -> MultimodalData:
    """The set from ``folder/data.npz``.

    Raises:
        DataError: the file is missing, damaged, or lacks an array.
    """
    tables = [f"{name}_{part}" for name in MODALITIES for part in ("votes", "level")]
    arrays = read_arrays(folder / "data.npz", [*tables, *KEYS, "label", "label_names"])
    modalities = {}
    for name in MODALITIES:
        votes = arrays[f"{name}_votes"].astype(np.float64)  # shape=(samples, 6), counts
        shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
        modalities[name] = np.hstack([shares, arrays[f"{name}_level"] / HIGHEST_LEVEL])
    return from_mapping(
        "cremad_votes",
        modalities,
        arrays["label"],
        subject=arrays["actor"],
        label_names=arrays["label_names"].tolist(),
        keys={key: arrays[key] for key in KEYS},
    )
