from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def behind_noise():
    """Bits, shape (samples, k), seen through noise and a random non-linear mixture."""

    def mix(*bits, noise=0.3, seed=0, dims=6):
        rng = np.random.default_rng(seed)
        signs = np.stack(bits, axis=1) * 2.0 - 1.0
        seen = signs + noise * rng.standard_normal(signs.shape)
        inner = rng.standard_normal((len(bits), 12)) / np.sqrt(len(bits))
        return np.tanh(seen @ inner + 0.5 * rng.standard_normal(12)) @ rng.standard_normal(
            (12, dims)
        )

    return mix
