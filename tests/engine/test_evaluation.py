from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from parse_dfl.engine import evaluation
from parse_dfl.engine.evaluation import BestRows, forward_chunks
from tests.small import federation, rows_of, run_rounds


@pytest.fixture(scope="module")
def simulator():
    return run_rounds(federation(sizes=(12, 7, 20), rounds=12), 12)


def predictions(simulator, stack, samples):
    rows = len(stack.agents)
    logits = torch.zeros(rows, len(samples), simulator.trainer.data.classes)
    for block, part, outputs in forward_chunks(stack, simulator.trainer.data, samples):
        logits[block, part] = simulator.stage.predict(outputs).detach().to(logits)
    return logits


@pytest.mark.parametrize("samples", [torch.arange(0, 160), torch.arange(0, 60, 3)])
def test_scores_are_those_of_scikit_learn_and_of_naive_counts(simulator, samples):
    label = simulator.trainer.data.label[samples].numpy()
    for stack, scores in simulator.evaluate(samples):
        logits = predictions(simulator, stack, samples)
        for row, shard_label in enumerate(stack.data.label):
            predicted = logits[row].argmax(-1).numpy()
            own = shard_label[: stack.data.sizes[row]].numpy()
            assert float(scores.accuracy[row]) == pytest.approx((predicted == label).mean())
            f1 = f1_score(label, predicted, labels=np.unique(label), average="macro")
            assert float(scores.macro_f1[row]) == pytest.approx(f1)
            present = [c for c in own if (label == c).any()]
            recalls = [(predicted[label == c] == c).mean() for c in present]
            assert float(scores.local_accuracy[row]) == pytest.approx(np.mean(recalls))
            loss = torch.nn.functional.cross_entropy(logits[row], torch.from_numpy(label))
            assert float(scores.loss[row]) == pytest.approx(float(loss), rel=1e-5)


def test_chunks_do_not_matter(simulator, monkeypatch):
    samples = torch.arange(100)
    whole = simulator.evaluate(samples)
    monkeypatch.setattr(evaluation, "CHUNK_SAMPLES", 30)
    monkeypatch.setattr(evaluation, "CHUNK_ENTRIES", 400)
    monkeypatch.setattr(evaluation, "ROWS_ENTRIES", 400)
    monkeypatch.setattr(evaluation, "BLOCK_LOGITS", 700)
    for (_, one), (_, other) in zip(whole, simulator.evaluate(samples), strict=True):
        assert torch.equal(one.accuracy, other.accuracy)
        assert torch.allclose(one.loss, other.loss)


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
