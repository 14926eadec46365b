from __future__ import annotations

import pytest
import torch

from parse_dfl.branches import Branch
from parse_dfl.config import TrainingConfig
from parse_dfl.engine.optimizer import RowOptimizer
from parse_dfl.engine.state import BranchState

N, P, STEPS = 5, 7, 12
KINDS = {
    "sgd": lambda p, d: torch.optim.SGD([p], lr=0.05, momentum=0.8, weight_decay=d),
    "adam": lambda p, d: torch.optim.Adam([p], lr=0.05, betas=(0.8, 0.999), weight_decay=d),
    "adamw": lambda p, d: torch.optim.AdamW([p], 0.05, (0.8, 0.999), weight_decay=d),
}


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def fresh_rows(optimizer, theta):
    return BranchState(
        Branch("a", "head", "x"),
        agents=[],
        columns=(),
        params=theta.clone(),
        gradient=torch.zeros_like(theta),
        steps=torch.zeros(len(theta), dtype=torch.int64),
        moments=optimizer.moments(theta),
    )


def trained(config, blocks):
    """Rows after steps on the given blocks of rows, one block a step."""
    optimizer = RowOptimizer(config)
    rows = fresh_rows(optimizer, random(N, P))
    for gradient, block in zip(random(len(blocks), N, P), blocks, strict=True):
        rows.gradient.copy_(gradient)
        optimizer.step([rows.block(block)], 0.05)
    return rows


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_each_row_is_torchs_own_whatever_its_step_count(kind, decay):
    config = TrainingConfig(optimizer=kind, momentum=0.8, weight_decay=decay)
    blocks = [slice(step % 3, N - step % 2) for step in range(STEPS)]
    rows = trained(config, blocks)
    for row in range(N):
        parameter = torch.nn.Parameter(random(N, P)[row].clone())
        plain = KINDS[kind](parameter, decay)
        taken = 0
        for gradient, block in zip(random(STEPS, N, P), blocks, strict=True):
            if block.start <= row < block.stop:
                parameter.grad = gradient[row].clone()
                plain.step()
                taken += 1
        assert int(rows.steps[row]) == taken
        assert torch.allclose(rows.params[row], parameter, rtol=1e-12, atol=1e-13)
