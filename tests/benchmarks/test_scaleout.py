"""The benchmark of scaling out: a process answers, sides take turns, the table tells who won."""

from __future__ import annotations

import io
import json

from benchmarks.scaleout import duel, member, sides
from benchmarks.scaleout.__main__ import main, render
from benchmarks.scaleout.duel import Effort, compare
from benchmarks.scaleout.sides import Turn
from benchmarks.speed.jobs import Job

JOB = Job(inputs="vector-32", method="parse", agents=6)


def test_a_process_answers_every_line_with_what_its_rounds_took(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n2\n"))
    member.main(JOB, 0, 1, "")
    ready, *turns = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert ready["setup"] > 0
    assert len(turns) == 2
    for turn in turns:
        assert turn["round"] > turn["train"] > turn["mix"] > 0
        assert turn["sent_bytes"] == 0


def test_a_turn_is_as_long_as_its_slowest_process(monkeypatch):
    side = object.__new__(sides.Side)
    side._members = []
    found = [
        {"round": 2.0, "train": 1.5, "mix": 0.25, "sent_bytes": 3},
        {"round": 1.75, "train": 1.0, "mix": 0.75, "sent_bytes": 4},
    ]
    monkeypatch.setattr(side, "_answers", lambda: found)
    assert side.turn(1) == Turn(2.0, 1.5, 0.25, 0.5, 7)


class Clockwork:
    """A side that is as fast as the number of its processes and threads."""

    setup, peak_bytes = 1.5, 10

    def __init__(self, job, processes, threads, store):
        self.seconds = 6.0 / (processes * processes * threads)

    def turn(self, rounds):
        assert rounds == 1
        return Turn(self.seconds, self.seconds / 2, self.seconds / 8, 0.0, 1_000_000)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def test_the_ranks_are_compared_with_one_process(monkeypatch, capsys):
    monkeypatch.setattr(duel, "Side", Clockwork)
    found = compare(JOB, Effort(turns=3))
    assert found["times_threads"] == 2.0
    assert found["times_one"] == 4.0
    assert found["ranks"]["round"] == 1.5
    result = main(["--quick"])
    assert result["duels"][0]["one"]["round"] == 6.0
    shown = "| vector-32 | parse | 6 | 1500 | 3000 | 6000 | 2.00 | 4.00 | 12.5% | 0.0% | 1.00 |"
    assert shown in capsys.readouterr().out
    assert shown in render(result)
