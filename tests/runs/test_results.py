"""Tests."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import pytest

from parse_dfl.agents import AgentSpec
from parse_dfl.engine.gossip_standardisation import STEPS
from parse_dfl.io import to_plain
from parse_dfl.runs import results
from parse_dfl.runs.results import (
    AgentScore,
    group_means,
    metrics_lines,
    weighted_mean,
)
from parse_dfl.runs.run import run

CLASSES, PIXELS, HIDDEN, SLICE = 10, 32, 8, 3


def test_a_ring_of_parse_agents_sends_what_a_hand_computes(small):
    """One group on a ring: everybody sends its whole model to two neighbours each round."""
    summary = run(small(agents="top=4", **{"network.encoders": {"top": "mlp"}}))
    trunk = PIXELS * HIDDEN + HIDDEN
    projections = HIDDEN * 2 * SLICE + 2 * SLICE
    heads = 2 * (SLICE * CLASSES + CLASSES)  # g_U^top and g_R
    model_bytes = 4 * (trunk + projections + heads)
    assert summary["groups"]["top"]["parameters"] == model_bytes // 4
    assert summary["payload_bytes_per_link"] == {"mean": model_bytes, "max": model_bytes}
    assert summary["payload_bytes_per_round"] == 4 * 2 * model_bytes


def test_what_was_sent_to_agree_on_a_standardisation_is_counted(small):
    own, agreed = (
        run(small(agents="top=4", **{"data.standardise": rule})) for rule in ("own", "agreed")
    )
    numbers = 1 + 2 * PIXELS
    rounds = own["rounds"]
    more = 4 * 2 * 4 * numbers * STEPS / rounds
    assert agreed["payload_bytes_per_round"] == own["payload_bytes_per_round"] + more
    per_link = agreed["payload_bytes_per_link"]["mean"] - own["payload_bytes_per_link"]["mean"]
    assert per_link == 4 * numbers * STEPS / rounds


def score(name, group, accuracy, weight=1):
    values = dict.fromkeys(results.SCORES, accuracy)
    agent = AgentSpec(name=name, modalities=tuple(group.split("+")))
    return AgentScore(agent, 10, weight, values)


SCORES = [score("b-0", "b", 0.5), score("b-1", "b", 0.7), score("a+b-all", "a+b", 0.9, weight=4)]


def test_groups_are_averaged_over_their_agents():
    means = group_means(SCORES)
    assert list(means) == ["a+b", "b"]
    assert means["b"]["accuracy"] == pytest.approx(0.6)


def test_a_merged_agent_counts_for_all_that_it_stands_for():
    assert weighted_mean(SCORES, "accuracy") == pytest.approx((0.5 + 0.7 + 4 * 0.9) / 6)


def test_a_line_a_group():
    lines = metrics_lines(20, 3, SCORES)
    assert [(line.round, line.seed, line.group) for line in lines] == [(20, 3, "a+b"), (20, 3, "b")]
    assert lines[1].accuracy == lines[1].loss == pytest.approx(0.6)
    assert "diverged" not in to_plain(lines[1])


def test_the_oracles_groups_count_the_agents_that_they_stand_for(small):
    summary = run(small(method="oracle"))
    assert {key: group["agents"] for key, group in summary["groups"].items()} == {
        "top": 2,
        "bottom": 2,
        "bottom+top": 2,
    }
    assert summary["payload_bytes_per_round"] == 0
    assert [row["name"] for row in summary["agents"]] == ["top-all", "bottom-all", "bottom+top-all"]


def test_overlays_of_the_last_round_are_written(small):
    summary = run(small(agents="top=3,bottom=2,bottom+top=1"))
    drawn = {entry["label"]: entry for entry in summary["overlays"]}
    assert set(drawn) == {"any", "bottom", "top"}  # the pair has one owner, and so no overlay
    assert len(drawn["any"]["edges"]) == len(drawn["any"]["members"]) == 6
    assert sorted(drawn["bottom"]["members"]) == ["bottom+top-0", "bottom-0", "bottom-1"]


def test_overlays_that_nobody_could_draw_are_left_out(small, monkeypatch):
    monkeypatch.setattr(results, "MOST_EDGES", 3)
    labels = {
        entry["label"] for entry in run(small(agents="top=4,bottom=2,bottom+top=1"))["overlays"]
    }
    assert labels == {"bottom"}


def test_groups_after_an_event_are_those_at_the_end(small):
    summary = run(small(events=["3:top-0:+bottom"]))
    assert {key: group["agents"] for key, group in summary["groups"].items()} == {
        "top": 1,
        "bottom": 2,
        "bottom+top": 3,
    }


def test_memory_is_measured_in_bytes():
    assert 1e7 < results.peak_memory_bytes() < 1e12
    assert math.isfinite(results.peak_memory_bytes())


def test_the_peak_does_not_begin_with_that_of_the_process_that_started_this_one():
    code = "from parse_dfl.runs.results import peak_memory_bytes as p; print(p())"
    held = bytearray(1 << 30)
    held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])  # touched, so that it is resident
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert results.peak_memory_bytes() > len(held)
    assert 1 << 20 < int(done.stdout) < len(held)


def test_the_honest_are_averaged_apart_only_where_some_lie(small):
    assert "honest_mean_accuracy" not in run(small())
    summary = run(small(**{"overlay.attackers": ["top-0:sign-flip"], "overlay.topology": "full"}))
    honest = [row["accuracy"] for row in summary["agents"] if row["name"] != "top-0"]
    assert summary["honest_mean_accuracy"] == pytest.approx(sum(honest) / 5)
    assert summary["config"]["overlay"]["attackers"] == ["top-0:sign-flip"]
