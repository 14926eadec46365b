from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.engine.agent_io import load_agent
from parse_dfl.errors import OutputError
from parse_dfl.runs.artifacts import save_agents, save_slices
from parse_dfl.runs.setup import build_trial


@pytest.fixture(scope="module")
def trial():
    from tests.runs.conftest import SMALL, RunConfig, with_values

    return build_trial(with_values(RunConfig(), SMALL), [0, 1])


def test_every_agent_of_the_seed_gets_a_file(trial, tmp_path):
    save_agents(trial, 1, tmp_path / "agents")
    names = {path.stem for path in (tmp_path / "agents").iterdir()}
    assert names == {part.agent.name for part in trial.setup.agent_data}
    assert load_agent(tmp_path / "agents" / "top-0.safetensors").spec.seed == 1


def test_slices_of_one_agent_a_group_on_the_same_samples(trial, tmp_path):
    save_slices(trial, 0, tmp_path)
    with np.load(tmp_path / "slices.npz") as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    count = min(500, len(trial.evaluation_samples))
    assert kept["label"].shape == (count,)
    assert set(kept) == {
        "label",
        "sample",
        "reach",
        "top/redundant.top",
        "top/unique.top",
        "bottom/redundant.bottom",
        "bottom/unique.bottom",
        *(f"bottom+top/{s}.{m}" for s in ("redundant", "unique") for m in ("bottom", "top")),
        "bottom+top/synergistic.bottom+top",
    }
    assert all(values.shape == (count, 3) for name, values in kept.items() if "/" in name)
    source = trial.simulator.trainer.data.source
    assert set(kept["sample"]) <= set(trial.evaluation_samples)
    assert kept["label"].tolist() == source.label[kept["sample"]].tolist()
    assert kept["reach"] == 0


def test_a_folder_that_cannot_be_made_is_an_output_error(trial, tmp_path):
    (tmp_path / "agents").touch()
    with pytest.raises(OutputError, match=r"cannot write .*agents"):
        save_agents(trial, 0, tmp_path / "agents")
