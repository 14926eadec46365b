"""The commands that are timed, and the recordings that they read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

JOBS: dict[str, tuple[str, ...]] = {
    "small": ("run", "--data", "digits", "--rounds", "60"),
    "compare": ("compare", "--data", "digits", "--rounds", "8", "--methods", "parse,local"),
    "many": ("run", "--data", "digits", "--rounds", "6", "--agents",
             "top=100,bottom=100,top+bottom=100", "--samples-per-agent", "3"),
    "series": ("run", "--data", "series.npz", "--rounds", "30"),
    "video": ("run", "--data", "video.npz", "--rounds", "4", "--agents", "a=2,b=2,a+b=2"),
    "wide": ("run", "--data", "digits", "--rounds", "12", "--hidden", "1024", "--latent", "192"),
}  # fmt: skip

SHAPES = {
    "series": {"a": (64, 3), "b": (64, 3)},
    "video": {"a": (8, 24, 24, 1), "b": (32,)},
}
SAMPLES = 1200


def write_data(folder: Path) -> None:
    """Write ``series.npz`` and ``video.npz``: noise around a centre per class."""
    rng = np.random.default_rng(0)
    label = np.arange(SAMPLES) % 6
    for name, shapes in SHAPES.items():
        arrays = {
            modality: (rng.normal(size=(6, *shape))[label] + rng.normal(size=(SAMPLES, *shape)))
            for modality, shape in shapes.items()
        }
        kinds = {key: value.astype(np.float32) for key, value in arrays.items()}
        np.savez(folder / f"{name}.npz", label=label, **kinds)
