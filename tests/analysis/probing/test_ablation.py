from __future__ import annotations

import pytest
import torch

from parse_dfl.analysis.probing.ablation import ablation
from parse_dfl.networks.network import Outputs

LABEL = torch.tensor([0, 0, 1, 1])
FIRST = torch.tensor([[2.0, 0], [0, 2], [0, 2], [2, 0]])  # right, wrong, right, wrong
SECOND = torch.tensor([[0.0, 1], [5, 0], [0, 1], [1, 0]])  # wrong, right, right, wrong
FUSED = torch.tensor([[0.0, 0], [0, 0], [9, 0], [0, 9]])  # spoils the third, saves the last


def outputs(**more):
    slices = {"unique.a": FIRST, "unique.b": SECOND, "synergistic.a+b": FUSED}
    settings = {
        "logits": sum(slices.values()),
        "modality_logits": {"a": FIRST, "b": SECOND},
        "slice_logits": slices,
    }
    return Outputs(**settings | more)


def test_shares_are_those_counted_by_hand():
    found = ablation(outputs(), LABEL)
    assert found.joint == 0.75
    assert found.without == {"unique.a": 0.5, "unique.b": 0.5, "synergistic.a+b": 0.75}
    assert found.modalities == {"a": 0.5, "b": 0.5}
    assert (found.synergy_score, found.spoilt) == (0.25, 0.25)
    assert found.noiseless is None


def test_the_noiseless_prediction_is_measured_beside_the_noisy_one():
    assert ablation(outputs(mean_logits=FIRST), LABEL).noiseless == 0.5


def test_one_modality_has_no_synergy():
    found = ablation(outputs(modality_logits={"a": FIRST}), LABEL)
    assert (found.synergy_score, found.spoilt) == (None, None)


def test_slices_that_do_not_add_up_are_not_taken_away():
    found = ablation(outputs(logits=FIRST), LABEL)
    assert found.without == found.alone == {}
    assert found.joint == pytest.approx(0.5)
