"""The optimizer over rows computes what torch.optim computes for each row alone."""

import pytest
import torch

from parse_dfl.branches import Branch
from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.optimizer import RowOptimizer
from parse_dfl.training.rows import BranchRows

ROWS, WIDTH, LR = 4, 7, 0.05


def branch_rows(optimizer: RowOptimizer, width: int = WIDTH) -> BranchRows:
    theta = torch.randn(ROWS, width, dtype=torch.float64, generator=torch.manual_seed(0))
    return BranchRows(
        Branch("a", "head", "0"),
        [],
        (),
        theta,
        gradient=torch.zeros_like(theta),
        steps=torch.zeros(ROWS, dtype=torch.int64),
        moments=optimizer.moments(theta),
    )


def reference(config: TrainingConfig, theta: torch.Tensor) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            [theta], lr=LR, momentum=config.momentum, weight_decay=config.weight_decay
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind([theta], lr=LR, weight_decay=config.weight_decay, foreach=False)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_rows_of_unequal_step_counts_move_as_under_torch_optim(name: str, decay: float) -> None:
    config = TrainingConfig(optimizer=name, weight_decay=decay)
    optimizer = RowOptimizer(config)
    rows = branch_rows(optimizer)
    alone = [row.clone() for row in rows.theta]
    references = [reference(config, row) for row in alone]
    draws = torch.manual_seed(1)
    for block in (slice(0, 4), slice(1, 3), slice(2, 4), slice(0, 4)):
        rows.gradient.copy_(torch.randn(ROWS, WIDTH, dtype=torch.float64, generator=draws))
        optimizer.step(rows, block, LR)
        for row in range(block.start, block.stop):
            alone[row].grad = rows.gradient[row].clone()
            references[row].step()
    torch.testing.assert_close(rows.theta, torch.stack(alone), rtol=1e-12, atol=1e-14)
    assert rows.steps.tolist() == [2, 3, 4, 3]


def test_a_component_without_parameters_takes_steps_too() -> None:
    optimizer = RowOptimizer(TrainingConfig())
    rows = branch_rows(optimizer, width=0)
    optimizer.step(rows, slice(0, ROWS), LR)
    assert rows.steps.tolist() == [1] * ROWS
