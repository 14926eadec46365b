"""UTD-MHAD: 27 actions by 8 people, seen by a depth camera and felt by a wearable sensor.

``depth`` is a video of 16 frames of 32 x 32 pixels (0 to 1), ``inertial`` a series of 128 steps
of 6 channels, ``skeleton`` a series of 64 steps of 20 joints x 3 coordinates.  The test part is
the authors' own: subjects 2, 4, 6 and 8.

Source: C. Chen, R. Jafari, N. Kehtarnavaz, UTD-MHAD: A Multimodal Dataset for Human Action
Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor, ICIP 2015.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parse_dfl.agents import Kind
from parse_dfl.data.adapters.files import read_arrays
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping

TEST_SUBJECTS = (2, 4, 6, 8)
DEEPEST = np.float32(255.0)


def read(folder: Path) -> MultimodalData:
    """The set from ``folder/data.npz``.

    Raises:
        DataError: the file is missing, damaged, or lacks an array.
    """
    arrays = read_arrays(
        folder / "data.npz",
        ["depth", "inertial", "skeleton", "label", "label_names", "subject", "trial"],
    )
    return from_mapping(
        "utd_mhad",
        {
            "depth": arrays["depth"] / DEEPEST,
            "inertial": arrays["inertial"],
            "skeleton": arrays["skeleton"],
        },
        arrays["label"],
        subject=arrays["subject"],
        is_test=np.isin(arrays["subject"], TEST_SUBJECTS),
        label_names=arrays["label_names"].tolist(),
        kinds={"depth": Kind.VIDEO, "skeleton": Kind.SERIES},
        keys={"trial": arrays["trial"]},
    )
