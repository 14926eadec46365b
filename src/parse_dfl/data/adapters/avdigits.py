"""Audio-visual digits: spoken digits paired by class with handwritten ones (as AV-MNIST does).

``avdigits``: ``audio`` is a log-mel spectrogram, a series of 50 frames of 32 bands; ``image``
28 x 28 pixels between 0 and 1.  ``avdigits-hard``: noise is added to the audio, and of the image
only four principal components are left, a vector.  The speaker is the subject; test pairs are
made of test clips and test images only, and keep to both sources' official test parts.

Sources: Z. Jackson et al., Free Spoken Digit Dataset, doi 10.5281/zenodo.1342401; Y. LeCun et
al., Gradient-based learning applied to document recognition, Proc. IEEE, 1998 (MNIST).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind
from parse_dfl.data.adapters.files import read_arrays
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping

BRIGHTEST = np.float32(255.0)
_IMAGE, _AUDIO = 0, 1  # columns of a pair


def read(folder: Path) -> MultimodalData:
    """The clean pairs, from ``audio_logmel.npz``, ``mnist_t10k.npz`` and ``pairs.npz``.

    Raises:
        DataError: a file is missing, damaged, or lacks an array.
    """
    image = read_arrays(folder / "mnist_t10k.npz", ["image"])["image"] / BRIGHTEST
    audio = read_arrays(folder / "audio_logmel.npz", ["logmel"])["logmel"]
    return _paired("avdigits", folder, audio, image)


def read_hard(folder: Path) -> MultimodalData:
    """The degraded pairs, from ``hard.npz`` and ``pairs.npz``.

    Raises:
        DataError: a file is missing, damaged, or lacks an array.
    """
    hard = read_arrays(folder / "hard.npz", ["logmel_noisy", "image_pca4"])
    return _paired("avdigits-hard", folder, hard["logmel_noisy"], hard["image_pca4"])


def _paired(name: str, folder: Path, audio: NDArray[Any], image: NDArray[Any]) -> MultimodalData:
    """Clips, shape (clips, 50, 32), and images, shape (images, ...), matched pair by pair."""
    columns = ("", "_label", "_speaker")
    pairs = read_arrays(
        folder / "pairs.npz", [part + column for column in columns for part in ("train", "test")]
    )
    index, label, speaker = (
        np.concatenate([pairs["train" + column], pairs["test" + column]]) for column in columns
    )
    is_test = np.arange(len(index)) >= len(pairs["train"])
    return from_mapping(
        name,
        {"audio": audio[index[:, _AUDIO]], "image": image[index[:, _IMAGE]]},
        label,
        subject=speaker,
        is_test=is_test,
        kinds={"audio": Kind.SERIES},
    )
