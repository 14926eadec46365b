"""What torch does not document does what it is used for, in the versions that it was tried in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

import parse_dfl
from parse_dfl.torch_internals import (
    OperationCounter,
    foreach_add_,
    foreach_copy_,
    fused_adam,
    fused_adamw,
    fused_sgd,
    swapped_parameters,
    trace,
)

SEEN_IN = ("2.13",)
PRIVATE = ("torch._", "torch.fx", "torch.utils._", "torch.utils.flop_counter")
FUNCTIONAL = ("torch.optim.adam.", "torch.optim.adamw.", "torch.optim.sgd.")


def test_this_torch_is_one_that_was_seen():
    version = ".".join(torch.__version__.split(".")[:2])
    assert version in SEEN_IN, "look whether all of torch_internals is still there, then add it"


def dotted(node):
    """``torch._a.b`` of an attribute's syntax tree, else ''."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def private_names(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [dotted(node)]
        else:
            continue
        documented = ("torch.__version__",)
        yield from (
            name
            for name in names
            if name.startswith((*PRIVATE, *FUNCTIONAL)) and name not in documented
        )


def test_nothing_else_uses_what_is_private():
    root = Path(parse_dfl.__file__).parent
    others = [path for path in root.rglob("*.py") if path.name != "torch_internals.py"]
    assert {path.name: found for path in others if (found := list(private_names(path)))} == {}
    assert list(private_names(root / "torch_internals.py"))


def test_lists_of_tensors_are_added_to_and_copied_in_place():
    first, second = torch.zeros(2), torch.ones(3)
    foreach_add_([first, second], 1)
    assert (first.tolist(), second.tolist()) == ([1, 1], [2, 2, 2])
    foreach_copy_([first], [torch.full((2,), 7.0)])
    assert first.tolist() == [7, 7]


def test_swapped_parameters_come_back_also_after_an_error():
    layer = nn.Linear(2, 1, bias=False)
    own, other = layer.weight, torch.tensor([[2.0, 3.0]], requires_grad=True)

    def use():
        with swapped_parameters([(layer, "weight")], [other]):
            assert layer(torch.ones(1, 2)).item() == 5
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        use()
    assert layer.weight is own


@pytest.mark.parametrize("update", [fused_adam, fused_adamw])
def test_fused_adam_takes_one_step_of_its_learning_rate(update):
    parameter = torch.zeros(3)
    moments = [torch.zeros(3)], [torch.zeros(3)]
    update(
        [parameter],
        [torch.ones(3)],
        *moments,
        [],
        [torch.tensor(0.0)],
        fused=True,
        lr=0.1,
        beta1=0.9,
        beta2=0.999,
        eps=0.0,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
    )
    torch.testing.assert_close(parameter, torch.full((3,), -0.1))


def test_fused_sgd_takes_one_step_of_its_learning_rate():
    parameter = torch.zeros(3)
    settings = {"momentum": 0.0, "weight_decay": 0.0, "dampening": 0.0}
    fused_sgd(
        [parameter],
        [torch.ones(3)],
        [torch.zeros(3)],
        fused=True,
        lr=0.1,
        nesterov=False,
        maximize=False,
        **settings,
    )
    torch.testing.assert_close(parameter, torch.full((3,), -0.1))


def test_a_traced_function_replays_its_operations():
    def function(values):
        return values * 2 + 1

    assert trace(function, [torch.zeros(3)])(torch.ones(3)).tolist() == [3, 3, 3]


def test_operations_of_products_are_counted():
    with OperationCounter() as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
    assert counter.total == 2 * 2 * 3 * 4
