"""Tests."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional

from parse_dfl.config.methods import ParseOptions
from parse_dfl.methods.parse import parse_objective
from parse_dfl.networks.losses import (
    Batch,
    adjusted_cross_entropy,
    cross_entropy,
    joint_loss,
    modality_loss,
    supervised_contrastive,
    symmetric_contrast,
)
from parse_dfl.networks.network import Outputs

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


OBJECTIVES_ROWS, OBJECTIVES_BATCH, CLASSES, OBJECTIVES_WIDTH = 3, 6, 4, 5
OBJECTIVES_SIZES = (6, 4, 1)
TEMPERATURE = 0.2


def objectives_normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch():
    """Three rows of 6, 4 and 1 samples, padded to 6."""
    label = torch.randint(
        CLASSES, (OBJECTIVES_ROWS, OBJECTIVES_BATCH), generator=torch.Generator().manual_seed(1)
    )
    weight = torch.zeros(OBJECTIVES_ROWS, OBJECTIVES_BATCH, dtype=torch.float64)
    for row, size in enumerate(OBJECTIVES_SIZES):
        weight[row, :size] = 1 / size
    return Batch(label, weight, objectives_normal(OBJECTIVES_ROWS, CLASSES, seed=2).log_softmax(-1))


def outputs():
    """What a network of two modalities might say."""
    return Outputs(
        objectives_normal(OBJECTIVES_ROWS, OBJECTIVES_BATCH, CLASSES),
        {
            name: objectives_normal(OBJECTIVES_ROWS, OBJECTIVES_BATCH, CLASSES, seed=i)
            for i, name in enumerate("ab", 3)
        },
        {
            f"redundant.{name}": objectives_normal(
                OBJECTIVES_ROWS, OBJECTIVES_BATCH, OBJECTIVES_WIDTH, seed=i
            )
            for i, name in enumerate("ab", 5)
        },
        {
            name: objectives_normal(OBJECTIVES_ROWS, OBJECTIVES_BATCH, CLASSES, seed=i)
            for i, name in enumerate("xyz", 7)
        },
    )


def contrastive(first, second, label):
    """The loss written as its definition reads, for one row without padding."""
    first, second = (functional.normalize(value, dim=-1) for value in (first, second))
    total = 0.0
    for anchors, others in ((first, second), (second, first)):
        for i, anchor in enumerate(anchors):
            scores = [math.exp(float(anchor @ other) / TEMPERATURE) for other in others]
            positives = [j for j in range(len(label)) if label[j] == label[i]]
            total -= sum(math.log(scores[j] / sum(scores)) for j in positives) / len(positives)
    return total / (2 * len(label))


def losses(data):
    """Every loss there is, on the same outputs."""
    redundant = outputs().slices
    return {
        "cross-entropy": cross_entropy(outputs().logits, data),
        "contrastive": supervised_contrastive(*redundant.values(), data, TEMPERATURE),
        "modality": modality_loss(outputs(), data),
        "parse": parse_objective(ParseOptions(head_weight=0.5))(outputs(), data),
    }


def test_cross_entropy_is_torchs_of_a_rows_own_samples_under_its_prior():
    data, logits = batch(), outputs().logits
    found = cross_entropy(logits, data)
    for row, size in enumerate(OBJECTIVES_SIZES):
        adjusted = logits[row, :size] + data.log_prior[row]
        expected = functional.cross_entropy(adjusted, data.label[row, :size])
        torch.testing.assert_close(found[row], expected, rtol=1e-12, atol=1e-12)


def test_the_contrastive_loss_is_its_double_loop():
    data, (first, second) = batch(), outputs().slices.values()
    found = supervised_contrastive(first, second, data, TEMPERATURE)
    for row, size in enumerate(OBJECTIVES_SIZES):
        own = (first[row, :size], second[row, :size], data.label[row, :size])
        assert float(found[row]) == pytest.approx(contrastive(*own), rel=1e-12)


def test_the_contrastive_loss_is_least_where_classes_agree_and_gradients_are_finite():
    data = batch()
    together = functional.one_hot(data.label, OBJECTIVES_WIDTH).double().requires_grad_()
    loss = supervised_contrastive(together, together, data, TEMPERATURE)
    apart = supervised_contrastive(together, together.flip(-1), data, TEMPERATURE)
    assert (loss[:2] < apart[:2]).all()
    (gradient,) = torch.autograd.grad(loss.sum(), together)
    assert gradient.isfinite().all()
    assert not gradient[data.weight == 0].any()


@pytest.mark.parametrize("name", ["cross-entropy", "contrastive", "modality", "parse"])
def test_a_rows_loss_does_not_depend_on_other_rows_or_on_padding(name):
    data = batch()
    before = losses(data)[name]
    label = data.label.clone()
    label[0] = label[0] // 2
    label[data.weight == 0] = 0
    prior = data.log_prior.clone()
    prior[0] -= torch.arange(CLASSES)
    after = losses(Batch(label, data.weight, prior))[name]
    assert torch.equal(after[1:], before[1:])
    assert after[0] != before[0]


def test_joint_and_modality_losses_are_cross_entropies():
    data, said = batch(), outputs()
    assert torch.equal(joint_loss(said, data), cross_entropy(said.logits, data))
    both = sum(cross_entropy(logits, data) for logits in said.modality_logits.values())
    torch.testing.assert_close(modality_loss(said, data), both)
