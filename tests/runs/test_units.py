"""A table's units and offsets change nothing of what is learnt, nor of what is predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from parse_dfl.config import RunConfig, with_values
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.engine.agent_io import load_agent
from parse_dfl.runs.run import run
from parse_dfl.runs.shared_setup import Overrides

SETTINGS = {
    "agents": "sound=2,table=2,sound+table=2",
    "data.samples_per_agent": "64",
    "network.latent": 12,
    "network.hidden": 16,
    "training.rounds": 12,
    "eval_every": 12,
}
LABEL = np.arange(900) % 4
OFFSET = np.array([0, 1_700_000_000, 0, 0, 0])  # a time stamp in seconds
UNIT = np.array([1_000_000, 1, 1, 1, 1])


def clean_table() -> NDArray[np.int64]:
    """Whole numbers, so that they can be given as int64 and as float64: all columns inform."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(4, 5))
    return np.rint(20 * (centres[LABEL] + rng.normal(size=(900, 5)))).astype(np.int64)


TABLE = clean_table()
RAW = TABLE * UNIT + OFFSET
SOUND = np.random.default_rng(4).normal(LABEL[:, None], 2, (900, 6))


def data(table: NDArray[Any]) -> MultimodalData:
    return from_mapping("mine", {"table": table, "sound": SOUND}, LABEL)


@pytest.mark.parametrize("rule", ["own", "agreed"])
def test_mixed_units_and_time_stamps_reach_the_accuracy_of_the_clean_table(rule, tmp_path):
    config = with_values(RunConfig(), {**SETTINGS, "data.standardise": rule})
    tables = {"clean": TABLE, "int": RAW, "float": RAW.astype(np.float64)}
    accuracy, predicted = {}, {}
    for name, table in tables.items():
        made = run(config, out=tmp_path / name, overrides=Overrides(data=data(table)))
        accuracy[name] = made["groups"]["table"]["accuracy"]
        agent = load_agent(tmp_path / name / "agents" / "sound+table-0.safetensors")
        for given, values in tables.items():
            if (given == "clean") == (name == "clean"):
                predicted[name, given] = agent.predict({"table": values, "sound": SOUND})
    assert accuracy["clean"] > 0.7
    assert accuracy["int"] == pytest.approx(accuracy["clean"], abs=0.02)
    assert accuracy["float"] == accuracy["int"]
    for pair in (("int", "int"), ("int", "float"), ("float", "int"), ("float", "float")):
        assert np.mean(predicted[pair] == predicted["clean", "clean"]) > 0.98
    assert (predicted["int", "int"] == predicted["int", "float"]).all()
