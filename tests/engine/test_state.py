import torch

from parse_dfl.config import TrainingConfig
from parse_dfl.engine.optimizer import RowOptimizer
from parse_dfl.engine.state import LAST, add_quasi_global_momentum
from tests.engine.test_optimizer import fresh_rows
from tests.small import federation, rows_of, run_rounds


def test_a_row_moves_on_by_a_share_of_its_last_way():
    start = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    rows = fresh_rows(RowOptimizer(TrainingConfig(global_momentum=0.5)), start)
    add_quasi_global_momentum(rows, 0.5)
    assert torch.equal(rows.params, start)  # it went nowhere yet
    rows.params.add_(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    arrived = rows.params.clone()
    add_quasi_global_momentum(rows, 0.5)
    assert torch.equal(rows.params, torch.tensor([[4.0, 2.0], [0.0, 6.0]]))
    assert torch.equal(rows.moments[LAST], arrived)


def test_a_checkpoint_remembers_the_way():
    through, stopped, resumed = (federation(global_momentum=0.8, rounds=4) for _ in range(3))
    run_rounds(through, 4)
    run_rounds(stopped, 2)
    resumed.restore(stopped.tensors(), 2)
    run_rounds(resumed, 2)
    for key, row in rows_of(through).items():
        assert torch.equal(row, rows_of(resumed)[key])
