from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from parse_dfl.engine import evaluation
from parse_dfl.engine.evaluation import forward_chunks
from tests.small import federation, run_rounds


@pytest.fixture(scope="module")
def simulator():
    return run_rounds(federation(sizes=(12, 7, 20), rounds=12), 12)


def predictions(simulator, stack, samples):
    rows = len(stack.agents)
    logits = torch.zeros(rows, len(samples), simulator.data.classes)
    for block, part, outputs in forward_chunks(stack, simulator.data, samples):
        logits[block, part] = simulator.stage.predict(outputs).detach().to(logits)
    return logits


@pytest.mark.parametrize("samples", [torch.arange(0, 160), torch.arange(0, 60, 3)])
def test_scores_are_those_of_scikit_learn_and_of_naive_counts(simulator, samples):
    label = simulator.data.label[samples].numpy()
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
