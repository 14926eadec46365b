from __future__ import annotations

import pytest
import torch

from parse_dfl.networks.batched_linear import NARROW, batched_linear


def operands(outputs, *, bias=True):
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 5, 4), (3, outputs, 4)] + ([(3, outputs)] if bias else [])
    made = [torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes]
    return [value.requires_grad_() for value in made]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [1, NARROW - 1, NARROW, NARROW + 1])
def test_each_row_is_a_linear_layer_of_its_own(outputs, bias):
    values = operands(outputs, bias=bias)
    product = batched_linear(*values, *([] if bias else [None]))
    rows = [torch.nn.functional.linear(*row) for row in zip(*values, strict=True)]
    assert torch.allclose(product, torch.stack(rows), rtol=1e-14, atol=1e-14)
    assert product.is_contiguous()
    seed = torch.arange(product.numel(), dtype=product.dtype).view_as(product)
    found = torch.autograd.grad(product, values, seed)
    expected = torch.autograd.grad(torch.stack(rows), values, seed)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-13, atol=1e-13)


def test_it_is_the_same_without_gradients():
    values = operands(3)
    with torch.no_grad():
        alone = batched_linear(*values)
    assert torch.equal(alone, batched_linear(*values))


def test_autocast_computes_in_the_lower_precision():
    values = [value.detach().float().requires_grad_() for value in operands(20)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = batched_linear(*values)
    assert product.dtype is torch.bfloat16
    assert all(g.dtype is torch.float32 for g in torch.autograd.grad(product.sum(), values))
