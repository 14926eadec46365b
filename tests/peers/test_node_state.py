"""Tests."""

from __future__ import annotations

import errno
import os
import signal
from threading import Thread

import pytest
import torch

from parse_dfl.engine.checkpoint import write_tensors
from parse_dfl.errors import CheckpointError
from parse_dfl.peers.node_state import CHECKPOINT, StateFile, Stop


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


FOR_EVER_S = 1e12


def test_after_which_round():
    stop = Stop()
    assert not stop.asked
    stop.ask(5)
    assert stop.asked
    assert (stop.due(4), stop.due(5)) == (False, True)


def test_without_a_pause_nothing_is_waited_for():
    stop = Stop()
    assert not stop.due_within(0.0, done=3)
    stop.ask(4)
    assert not stop.due_within(0.0, done=3)
    assert stop.due_within(FOR_EVER_S, done=4)


def test_a_stop_asked_for_in_a_pause_ends_it():
    stop = Stop()
    asker = Thread(target=stop.ask)
    asker.start()
    assert stop.due_within(FOR_EVER_S, done=3)
    asker.join()


def test_one_for_a_later_round_does_not():
    stop = Stop()
    stop.ask(5)
    asker = Thread(target=stop.ask, args=(4,))
    asker.start()
    assert stop.due_within(FOR_EVER_S, done=4)
    asker.join()


def test_one_that_is_held_waits_until_it_is_told():
    stop = Stop()
    stop.hold()
    asker = Thread(target=stop.ask, args=(7,))
    asker.start()
    assert not stop.due_within(0.0, done=6)  # one more round is to be done
    asker.join()
    assert stop.due_within(0.0, done=7)


def test_a_signals_handler_may_ask_in_the_middle_of_a_pause():
    stop = Stop()
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.ask())
    sender = Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
    sender.start()
    try:
        assert stop.due_within(FOR_EVER_S, done=0)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
