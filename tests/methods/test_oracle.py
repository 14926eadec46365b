from __future__ import annotations

import torch

from parse_dfl.config.methods import ParseOptions
from parse_dfl.methods.oracle import oracle
from tests.federation import tiny_blueprint, tiny_simulator


def test_centralised_training_keeps_all_rows_of_a_branch_bit_equal():
    simulator = tiny_simulator(
        oracle(ParseOptions()), "a=1,b=2,a+b=1", network_spec=tiny_blueprint(dropout=0.2)
    )
    start = {branch: rows.params.clone() for branch, rows in simulator.layout.branches.items()}
    for _ in range(4):
        simulator.step()
        for branch, rows in simulator.layout.branches.items():
            assert torch.equal(rows.params, rows.params[:1].expand_as(rows.params))
            assert (rows.params != start[branch]).any()
    assert simulator.payload().total_bytes == 0
