from __future__ import annotations

import torch

from parse_dfl.engine.state import flatten, param_slices
from tests.small import federation, run_rounds


def test_frozen_parameters_belong_to_no_row():
    part = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    part[0].requires_grad_(False)
    (weight, bias) = param_slices(part)
    assert (weight.name, weight.shape, weight.slice) == ("1.weight", (1, 3), slice(0, 3))
    assert (bias.name, bias.offset) == ("1.bias", 3)
    assert torch.equal(flatten(part, param_slices(part))[:3], part[1].weight[0])
    assert len(flatten(part[0], param_slices(part[0]))) == 0


def test_restoring_gives_back_every_tensor():
    simulator = run_rounds(federation("sheaf-dmfl"), 2)
    rows = next(r for b, r in simulator.layout.branches.items() if b.component == "head")
    kept = {name: value.clone() for name, value in rows.tensors().items()}
    assert {"theta", "steps", "moment.first", "moment.second", "memory.maps"} <= kept.keys()
    run_rounds(simulator, 1)
    rows.restore(kept)
    assert all(torch.equal(value, kept[name]) for name, value in rows.tensors().items())
