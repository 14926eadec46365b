"""Read data sets that need a reader of their own: one function a set, listed in :data:`ADAPTERS`.

A set whose arrays are modalities as they stand needs none: it is a ``data.npz`` of the convention
(:mod:`parse_dfl.data.npz_format`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.data.npz_format import read_npz

BRIGHTEST = np.float32(255.0)
"""The largest value of a pixel, of pictures and of depth alike."""


def avdigits(folder: Path) -> MultimodalData:
    """Read audio-visual digits: spoken digits paired by class with handwritten ones, as AV-MNIST.

    ``audio`` is a log-mel spectrogram, a series of 50 frames of 32 bands; ``image`` 28 x 28 pixels
    between 0 and 1.  The speaker is the subject; test pairs are made of test clips and test images
    only, and keep to both sources' official test parts.

    Sources: Z. Jackson et al., Free Spoken Digit Dataset, doi 10.5281/zenodo.1342401; Y. LeCun et
    al., Gradient-based learning applied to document recognition, Proc. IEEE, 1998 (MNIST).

    Raises:
        DataError: ``audio_logmel.npz``, ``mnist_t10k.npz`` or ``pairs.npz`` is missing, damaged,
            or lacks an array.
    """
    image = read_npz(folder / "mnist_t10k.npz").take(["image"])["image"] / BRIGHTEST
    audio = read_npz(folder / "audio_logmel.npz").take(["logmel"])["logmel"]
    return _paired("avdigits", folder, audio, image)


def avdigits_hard(folder: Path) -> MultimodalData:
    """Read :func:`avdigits` with noise added to the audio, and of the image only four principal
    components, a vector.

    Raises:
        DataError: ``hard.npz`` or ``pairs.npz`` is missing, damaged, or lacks an array.
    """
    hard = read_npz(folder / "hard.npz").take(["logmel_noisy", "image_pca4"])
    return _paired("avdigits-hard", folder, hard["logmel_noisy"], hard["image_pca4"])


def _paired(name: str, folder: Path, audio: NDArray[Any], image: NDArray[Any]) -> MultimodalData:
    """Match clips, shape (clips, 50, 32), and images, shape (images, ...), pair by pair."""
    columns = ("", "_label", "_speaker")
    pairs = read_npz(folder / "pairs.npz").take(
        [part + column for column in columns for part in ("train", "test")]
    )
    index, label, speaker = (
        np.concatenate([pairs["train" + column], pairs["test" + column]]) for column in columns
    )
    of_image, of_audio = index.T
    return from_mapping(
        name,
        {"audio": audio[of_audio], "image": image[of_image]},
        label,
        subject=speaker,
        is_test=np.arange(len(index)) >= len(pairs["train"]),
        kinds={"audio": Kind.SERIES},
    )


CREMAD_MODALITIES = ("voice", "face", "audiovisual")
CREMAD_KEYS = ("actor", "sentence", "intensity", "age", "sex", "race")
HIGHEST_LEVEL = 100.0


def cremad_votes(folder: Path) -> MultimodalData:
    """Read CREMA-D's crowd perception: what about ten people heard, saw, or both, in 7442 clips.

    Each modality (``voice``, ``face``, ``audiovisual``) is a vector of 12: the share of the answers
    that each of six emotions got, and the mean intensity given to it (0 to 1).  The label is the
    emotion that the actor was told to show; the actor is the subject.

    Source: H. Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE
    Transactions on Affective Computing 5(4), 2014.

    Raises:
        DataError: ``data.npz`` is missing, damaged, or lacks an array.
    """
    tables = [f"{name}_{part}" for name in CREMAD_MODALITIES for part in ("votes", "level")]
    arrays = read_npz(folder / "data.npz").take([*tables, *CREMAD_KEYS, "label", "label_names"])
    modalities = {}
    for name in CREMAD_MODALITIES:
        votes = arrays[f"{name}_votes"].astype(np.float64)  # shape=(samples, 6), counts
        shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
        modalities[name] = np.hstack([shares, arrays[f"{name}_level"] / HIGHEST_LEVEL])
    return from_mapping(
        "cremad_votes",
        modalities,
        arrays["label"],
        subject=arrays["actor"],
        label_names=arrays["label_names"].tolist(),
        keys={key: arrays[key] for key in CREMAD_KEYS},
    )


MHAD_TEST_SUBJECTS = (2, 4, 6, 8)


def utd_mhad(folder: Path) -> MultimodalData:
    """Read UTD-MHAD: 27 actions by 8 people, seen by a depth camera and felt by a wearable sensor.

    ``depth`` is a video of 16 frames of 32 x 32 pixels (0 to 1), ``inertial`` a series of 128 steps
    of 6 channels, ``skeleton`` a series of 64 steps of 20 joints x 3 coordinates.  The test part is
    the authors' own: subjects 2, 4, 6 and 8.

    Source: C. Chen, R. Jafari, N. Kehtarnavaz, UTD-MHAD: A Multimodal Dataset for Human Action
    Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor, ICIP 2015.

    Raises:
        DataError: ``data.npz`` is missing, damaged, or lacks an array.
    """
    columns = ["label", "label_names", "subject", "trial"]
    arrays = read_npz(folder / "data.npz").take(["depth", "inertial", "skeleton", *columns])
    return from_mapping(
        "utd_mhad",
        {
            "depth": arrays["depth"] / BRIGHTEST,
            "inertial": arrays["inertial"],
            "skeleton": arrays["skeleton"],
        },
        arrays["label"],
        subject=arrays["subject"],
        is_test=np.isin(arrays["subject"], MHAD_TEST_SUBJECTS),
        label_names=arrays["label_names"].tolist(),
        kinds={"depth": Kind.VIDEO, "skeleton": Kind.SERIES},
        keys={"trial": arrays["trial"]},
    )


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """The reader of a set, and the ``folder`` within the data folder that it reads."""

    folder: str
    description: str
    read: Callable[[Path], MultimodalData]


ADAPTERS: Mapping[str, Adapter] = {
    "avdigits": Adapter(
        folder="avdigits",
        description="spoken digits paired with handwritten ones",
        read=avdigits,
    ),
    "avdigits-hard": Adapter(
        folder="avdigits",
        description="the same, noisy audio and images of four principal components",
        read=avdigits_hard,
    ),
    "cremad_votes": Adapter(
        folder="cremad_votes",
        description="emotions that people heard, saw, or both, in clips of 91 actors",
        read=cremad_votes,
    ),
    "utd_mhad": Adapter(
        folder="utd_mhad",
        description="27 actions of 8 people: depth video, inertial sensor, skeleton",
        read=utd_mhad,
    ),
}
