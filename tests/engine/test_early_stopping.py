from __future__ import annotations

import torch

from parse_dfl.engine.early_stopping import BestRows
from tests.small import federation, rows_of, run_rounds


def accuracy(simulator, samples, seed):
    own = [
        float(value)
        for stack, score in simulator.evaluate(samples)
        for agent, value in zip(stack.agents, score.accuracy, strict=True)
        if agent.seed == seed
    ]
    return sum(own) / len(own)


def test_each_seed_keeps_its_own_best_round():
    simulator = federation("oracle", seeds=(0, 1), agents="a=1,b=1,a+b=1", rounds=8, lr=0.3)
    samples = torch.arange(40)
    best = BestRows(simulator, samples, [0, 1])
    seen = {0: [], 1: []}
    rows = {0: [], 1: []}
    for _ in range(8):
        run_rounds(simulator, 1)
        best.update()
        for seed in (0, 1):
            seen[seed].append(accuracy(simulator, samples, seed))
            rows[seed].append(rows_of(simulator))
    best.put_back()
    for seed in (0, 1):
        assert float(best.accuracy[seed]) == max(seen[seed])
        expected = rows[seed][seen[seed].index(max(seen[seed]))]
        for key, row in rows_of(simulator).items():
            if key[0] == seed:
                assert torch.equal(row, expected[key])


def test_the_state_goes_through_a_checkpoint():
    samples = torch.arange(40)
    simulator = run_rounds(federation("oracle", agents="a=1,b=1"), 2)
    best = BestRows(simulator, samples, [0])
    best.update()
    kept = rows_of(simulator)
    other = BestRows(run_rounds(simulator, 1), samples, [0])
    other.restore(best.tensors())
    other.put_back()
    assert torch.equal(other.accuracy, best.accuracy)
    assert all(torch.equal(row, kept[key]) for key, row in rows_of(simulator).items())
