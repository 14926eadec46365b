from __future__ import annotations

import numpy as np
import torch

from parse_dfl.data.standardise import fit
from parse_dfl.training.cohort import log_prior
from tests.small import federation


def test_each_agent_standardises_by_its_own_samples():
    simulator = federation(sizes=(12, 7, 20), agents="a=3")
    (cohort,), data = simulator.layout.cohorts, simulator.data.source
    raw = simulator.data.modalities["a"][:30].unsqueeze(0)
    standard = cohort.data.standardise("a", raw)
    for row, shard in enumerate(simulator._shards):
        own = fit(data.modalities["a"][shard.indices], data.kinds["a"])
        assert torch.allclose(
            standard[row].float(), torch.tensor(own.apply(raw[0].float().numpy()))
        )
        count = len(shard.indices)
        assert cohort.data.sizes[row] == count
        expected = own.apply(data.modalities["a"][shard.indices])
        assert np.allclose(cohort.data.inputs["a"][row, :count].numpy(), expected, atol=1e-5)
        assert cohort.data.label[row, :count].tolist() == data.label[shard.indices].tolist()


def test_the_prior_of_a_class_that_an_agent_never_saw_is_finite():
    prior = log_prior(torch.tensor([[0.0, 3.0, 1.0]]))
    assert prior.isfinite().all()
    assert torch.allclose(prior.exp(), torch.tensor([[0.5, 3.5, 1.5]]) / 5.5)
