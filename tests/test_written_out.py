from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from parse_dfl.written_out import adjusted_cross_entropy, symmetric_contrast

ROWS, BATCH, WIDTH = 3, 5, 4
SIZES = (5, 3, 1)


def normal(*shape, seed):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def leaf(seed):
    return normal(ROWS, BATCH, WIDTH, seed=seed).requires_grad_()


@pytest.fixture
def weight():
    """Rows of five, three and one samples, padded."""
    real = torch.arange(BATCH) < torch.tensor(SIZES).unsqueeze(1)
    return real / torch.tensor(SIZES, dtype=torch.float64).unsqueeze(1)


def test_the_gradient_of_cross_entropy(weight):
    label = torch.arange(ROWS * BATCH).view(ROWS, BATCH) % WIDTH
    prior = normal(ROWS, WIDTH, seed=1)
    assert gradcheck(lambda x: adjusted_cross_entropy(x, label, weight, prior), leaf(2))


def test_the_gradient_of_the_contrast(weight):
    real = weight > 0
    target = normal(ROWS, BATCH, BATCH, seed=3).abs() * real.unsqueeze(1) * real.unsqueeze(2)

    def loss(first, second):
        return symmetric_contrast(first, second, target, real, 0.2)

    assert gradcheck(loss, (leaf(4), leaf(5)))
    assert gradcheck(lambda both: loss(both, both), leaf(6))


def test_without_gradients_the_losses_are_the_same(weight):
    label = torch.zeros(ROWS, BATCH, dtype=torch.int64)
    given = label, weight, normal(ROWS, WIDTH, seed=1)
    with torch.no_grad():
        plain = adjusted_cross_entropy(leaf(2), *given)
    assert torch.equal(plain, adjusted_cross_entropy(leaf(2), *given).detach())
