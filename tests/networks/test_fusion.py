from __future__ import annotations

import pytest
import torch

from parse_dfl.config import FUSIONS
from parse_dfl.errors import ConfigError
from parse_dfl.networks.fusion import check_fusion, fusion_operator
from tests.federation import assert_same_by_rows, rows_module


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("name", FUSIONS)
def test_a_fusion_of_rows_is_a_loop_over_agents(name, width):
    torch.manual_seed(0)
    stacked, singles = rows_module(lambda: fusion_operator(name, width), 3)
    first, second = torch.randn(2, 3, 4, width)
    assert singles[0](first[0].double(), second[0].double()).shape == (4, width)
    assert_same_by_rows(stacked, singles, first, second)


@pytest.mark.parametrize("name", FUSIONS)
def test_every_fusion_reads_both_slices(name):
    torch.manual_seed(0)
    operator = fusion_operator(name, 4)
    slices = [torch.rand(5, 4).requires_grad_() for _ in range(2)]
    operator(*slices).sum().backward()
    assert all(value.grad.abs().sum() > 0 for value in slices)


def test_sums_and_products_are_what_their_names_say():
    first, second = torch.randn(2, 5, 4)
    assert torch.equal(fusion_operator("sum", 4)(first, second), (first + second).relu())
    product = fusion_operator("product", 4)
    expected = product.first(first) * product.second(second)
    assert torch.equal(product(first, second), expected)


def test_an_unknown_fusion_offers_the_nearest():
    with pytest.raises(ConfigError, match="unknown fusion operator 'gate'; did you mean 'gated'"):
        fusion_operator("gate", 4)


def test_fusions_are_checked_where_no_agent_builds_one():
    for name in FUSIONS:
        check_fusion(name)
    with pytest.raises(ConfigError, match="unknown fusion operator 'cocat'; did you mean 'concat'"):
        check_fusion("cocat")
