"""What the methods are for: PARSE learns clearly more than agents do by themselves."""

from __future__ import annotations

import pytest

from parse_dfl.config import RunConfig, with_values
from parse_dfl.runs.compare import compare

SETTINGS = {
    "agents": "top=3,bottom=3,bottom+top=3",
    "data.samples_per_agent": "32",
    "network.encoders": {"top": "mlp", "bottom": "mlp"},
    "network.latent": 24,
    "network.hidden": 32,
    "training.rounds": 30,
    "training.batch_size": 16,
}
MARGIN = 0.05


@pytest.fixture(scope="module")
def accuracy():
    """Method → mean accuracy over two seeds."""
    methods = ["parse", "local", "dsgd-modality", "oracle"]
    record = compare(with_values(RunConfig(), SETTINGS), methods, [0, 1])
    return {name: found["mean_accuracy"]["mean"] for name, found in record["methods"].items()}


@pytest.mark.parametrize("rival", ["local", "dsgd-modality"])
def test_parse_beats_those_that_share_less(accuracy, rival):
    assert accuracy["parse"] > accuracy[rival] + MARGIN


def test_the_oracle_is_an_upper_bound(accuracy):
    assert accuracy["oracle"] > accuracy["parse"] - 0.02
    assert accuracy["local"] > 0.3
