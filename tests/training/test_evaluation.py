"""Evaluation in chunks of agents and samples scores as evaluation at once."""

import pytest
import torch

from benchmarks.speed.jobs import INPUTS, Job
from parse_dfl.training import evaluation


@pytest.mark.parametrize("method", ["parse", "dsgd-hybrid"])
def test_scores_do_not_depend_on_the_chunks(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Job(inputs=INPUTS["vector-32"], method=method, agents=7).simulator()
    simulator.step()
    samples = torch.arange(50)
    whole = simulator.evaluate(samples)
    monkeypatch.setattr(evaluation, "CHUNK_SAMPLES", 20)
    monkeypatch.setattr(evaluation, "CHUNK_ELEMENTS", 2 * 20 * 32)
    for (_, one), (_, parted) in zip(whole, simulator.evaluate(samples), strict=True):
        torch.testing.assert_close(one.accuracy, parted.accuracy)
        torch.testing.assert_close(one.macro_f1, parted.macro_f1)
        torch.testing.assert_close(one.local_accuracy, parted.local_accuracy)
        torch.testing.assert_close(one.loss, parted.loss, rtol=1e-5, atol=0.0)
