"""Tests."""

from __future__ import annotations

import errno

import pytest
import torch

from parse_dfl.engine.checkpoint import write_tensors
from parse_dfl.errors import CheckpointError
from parse_dfl.peers.node_state import CHECKPOINT, StateFile


class Trainer:
    """What a state file needs of one."""

    def __init__(self, round):
        self.round = round

    def tensors(self):
        return {"theta": torch.full((3,), float(self.round))}

    def restore(self, tensors, round):
        self.params, self.round = tensors["theta"], round


def test_a_full_disk_stops_the_checkpoint_says_so_and_leaves_the_last_good_one(
    tmp_path, monkeypatch
):
    file = StateFile(tmp_path, "acc-0", "x")
    assert file.save(Trainer(5), {}) is None

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    problem = file.save(Trainer(6), {})
    assert problem is not None
    assert problem.startswith("no checkpoint of round 6: cannot write")
    assert "No space left on device" in problem
    monkeypatch.undo()
    trainer = Trainer(0)
    file.load(trainer)
    assert (trainer.round, trainer.params.tolist()) == (5, [5.0] * 3)
    assert [each.name for each in tmp_path.iterdir()] == [CHECKPOINT]


@pytest.mark.parametrize(("agent", "experiment"), [("acc-1", "x"), ("acc-0", "y")])
def test_the_checkpoint_of_another_is_refused(agent, experiment, tmp_path):
    StateFile(tmp_path, "acc-0", "x").save(Trainer(5), {})
    with pytest.raises(CheckpointError, match="is the checkpoint of another"):
        StateFile(tmp_path, agent, experiment).load(Trainer(0))


def test_the_checkpoint_of_a_program_that_standardised_otherwise_is_refused(tmp_path):
    header = {"agent": "acc-0", "experiment": "x", "round": 5}
    write_tensors(tmp_path / CHECKPOINT, Trainer(5).tensors(), header)
    with pytest.raises(CheckpointError, match=r"is of another version .* standardised its inputs"):
        StateFile(tmp_path, "acc-0", "x").load(Trainer(0))


def test_what_differs_is_named_with_both_values(tmp_path):
    before, now = {"training": {"lr": 0.5}, "seed": 0}, {"training": {"lr": 0.25}, "seed": 0}
    StateFile(tmp_path, "acc-0", "x", settings=before).save(Trainer(5), {})
    with pytest.raises(CheckpointError, match=r"\(training.lr is 0.5 there, 0.25 here\)"):
        StateFile(tmp_path, "acc-0", "y", settings=now).load(Trainer(0))
