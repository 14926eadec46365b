from __future__ import annotations

from parse_dfl.ranks.launch import Launch, launch

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "x", "MASTER_PORT": "1"}


def test_a_process_by_itself_leads():
    assert launch({}) == Launch(rank=0, size=1, local_rank=0)
    assert launch({}).leads


def test_what_torchrun_says():
    assert launch(TORCHRUN | {"LOCAL_RANK": "1"}) == Launch(rank=3, size=4, local_rank=1)
    assert not launch(TORCHRUN).leads


def test_half_of_what_torchrun_says_is_something_else():
    assert launch({"RANK": "3", "WORLD_SIZE": "4"}).size == 1
