"""A data set and its parts in plain figures, for ``parse-dfl data NAME``."""

from __future__ import annotations

from typing import Any

import numpy as np

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.splits import Split


def describe(data: MultimodalData, split: Split) -> dict[str, Any]:
    """What the set holds, as values that JSON can hold."""
    counts = np.bincount(data.label, minlength=data.classes)
    return {
        "name": data.name,
        "samples": data.samples,
        "modalities": {
            name: {"kind": data.kinds[name].value, "shape": list(data.shape(name))}
            for name in data.modalities
        },
        "classes": data.classes,
        "label_counts": dict(zip(data.label_names, counts.tolist(), strict=True)),
        "subjects": None if data.subject is None else len(np.unique(data.subject)),
        "keys": sorted(data.keys),
        "factors": sorted(data.factors),
        "split": {
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "notes": data.notes(),
    }
