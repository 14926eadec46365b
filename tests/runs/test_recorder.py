"""Payload is counted; a run whose agents diverge says so wherever its numbers stand."""

from __future__ import annotations

import json

import pytest
import torch

from parse_dfl.cli import main
from parse_dfl.engine.agent_io import load_agent
from parse_dfl.engine.evaluation import diverged as diverged_agents
from parse_dfl.engine.evaluation import parameters_are_finite
from parse_dfl.errors import CheckpointError
from parse_dfl.runs.audit import audit_run
from parse_dfl.runs.compare import compare
from parse_dfl.runs.folder import read_json, read_jsonl
from parse_dfl.runs.recorder import PayloadTotals
from parse_dfl.runs.reporting import write_report
from parse_dfl.runs.run import resume_run, run
from parse_dfl.runs.setup import build_trial
from tests.small import federation, run_rounds

SMALL = [
    "--agents", "top=2,bottom=2,bottom+top=2", "--samples-per-agent", "16", "--latent", "9",
    "--hidden", "8", "--rounds", "4", "--batch-size", "8", "--eval-every", "2", "--quiet",
    "--eval-samples", "60",
]  # fmt: skip
HARMONY = ["--option", "harmony.lr=1e30"]


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    """A run of SGD at a rate that no network bears, by the command."""
    out = tmp_path_factory.mktemp("runs") / "x"
    assert main(["run", *SMALL, "--lr", "1e30", "--optimizer", "sgd", "--out", str(out)]) == 3
    return out


def test_the_summary_names_the_round_and_the_agents(diverged):
    summary = read_json(diverged / "summary.json")
    assert summary["diverged"]["round"] == 2
    assert summary["diverged"]["agents"] == sorted(agent["name"] for agent in summary["agents"])
    assert all(agent["diverged"] for agent in summary["agents"])


def test_every_evaluation_counts_them(diverged):
    rows = read_jsonl(diverged / "metrics.jsonl")
    assert {(row["round"], row["diverged"]) for row in rows} == {(2, 2), (4, 2)}


def test_no_json_holds_what_is_no_json(diverged):
    texts = [path.read_text() for path in diverged.rglob("*.json")]
    texts += (diverged / "metrics.jsonl").read_text().splitlines()
    for text in texts:
        json.loads(text, parse_constant=pytest.fail)


def test_the_page_of_the_run_says_so_first(diverged):
    page = write_report(diverged).read_text()
    assert "Diverged, so the numbers mean nothing: 6 agents have diverged since round 2" in page


def test_resuming_it_ends_with_the_same_status(diverged, capsys):
    assert main(["run", "--resume", str(diverged), "--quiet"]) == 3
    told = capsys.readouterr()
    assert "(diverged)" in told.out
    assert "6 agents have diverged since round 2 (bottom+top-0, bottom+top-1" in told.err
    assert "try a lower --lr than 1e+30" in told.err


def test_neither_its_agents_nor_its_slices_are_looked_at(diverged):
    assert not (diverged / "slices.npz").exists()
    with pytest.raises(CheckpointError, match="not finite: the agent diverged"):
        load_agent(diverged / "agents" / "top-0.safetensors")
    with pytest.raises(CheckpointError, match="cannot be audited: 6 agents have diverged"):
        audit_run(diverged)


def test_a_run_that_was_stopped_remembers_since_when(small, stop_after, tmp_path):
    config = small(**{"training.lr": 1e30, "training.optimizer": "sgd"})
    with pytest.raises(KeyboardInterrupt):
        run(config, out=tmp_path / "x", listener=stop_after(3))
    assert resume_run(tmp_path / "x")["diverged"] == run(config)["diverged"] is not None


@pytest.mark.parametrize("method", ["local", "oracle", "dsgd-task", "harmony"])
def test_every_method_is_marked(small, method):
    found = run(small(method=method, **{"training.lr": 1e30, "training.optimizer": "sgd"}))
    assert found["diverged"]["round"] == 2


def test_parameters_that_are_finite_but_beyond_use_are_marked(small):
    found = run(small(**{"training.lr": 1e6}))
    assert found["diverged"]
    assert any(group["loss"] > 1e4 for group in found["groups"].values())


def test_a_run_that_learns_is_not_marked(small):
    found = run(small())
    assert found["diverged"] is None


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    out = tmp_path_factory.mktemp("comparisons") / "x"
    words = ["compare", *SMALL, "--methods", "parse,harmony,local", "--seeds", "2", *HARMONY]
    assert main([*words, "--optimizer", "sgd", "--lr", "0.1", "--out", str(out)]) == 3
    return out


def test_a_comparison_goes_on_and_names_who_diverged(comparison):
    methods = read_json(comparison / "comparison.json")["methods"]
    assert set(methods) == {"parse", "harmony", "local"}
    assert set(methods["harmony"]["diverged"]) == {"0", "1"}
    assert methods["parse"]["diverged"] is methods["local"]["diverged"] is None


def test_the_table_says_so_in_place_of_numbers(comparison, capsys):
    words = ["compare", *SMALL, "--methods", "parse,harmony,local", "--seeds", "2", *HARMONY]
    words += ["--optimizer", "sgd", "--lr", "0.1", "--resume", str(comparison)]
    assert main(words) == 3
    told = capsys.readouterr()
    row = next(line for line in told.out.splitlines() if line.split()[:1] == ["harmony"])
    assert row.split()[1:5] == ["diverged"] * 4
    assert told.out.count("harmony diverged and is neither ranked nor compared (seed 0: ") == 1
    assert "harmony diverged; the note below the table says where" in told.err


def test_it_is_neither_rival_nor_ranked_nor_drawn(comparison):
    page = write_report(comparison).read_text()
    found = read_json(comparison / "statistics.json")
    assert found["summary"]["mean"]["mean_rank"].keys() == {"parse", "local"}
    assert all(cell["against_best_rival"]["rival"] == "local" for cell in found["cells"])
    assert all(cell["diverged"] == ["harmony"] for cell in found["cells"])
    assert "harmony diverged and is neither ranked nor compared" in page
    assert "parse against local" in page
    figure = (comparison / "figures" / "final-accuracy.svg").read_text()
    assert "harmony" not in figure


def test_where_all_diverge_nobody_wins(small, tmp_path):
    config = small(**{"training.lr": 1e30, "training.optimizer": "sgd"})
    compare(config, ["parse", "local"], [0], out=tmp_path / "x")
    page = write_report(tmp_path / "x").read_text()
    assert "parse diverged, so nothing can be said of it." in page
    assert "cannot be told apart" not in page


def test_bfloat16_is_checked_like_all(small):
    settings = {"training.dtype": "bfloat16", "training.lr": 1e30, "training.optimizer": "sgd"}
    assert run(small(**settings))["diverged"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_moment_that_overflows_freezes_its_agent_and_is_seen(small, value):
    simulator = build_trial(small(), [0]).simulator
    simulator.step()
    stack = simulator.layout.stacks[0]
    label = next(iter(stack.rows))
    stack.rows[label].moments["second"][stack.blocks[label]][1, 0] = value
    assert diverged_agents(stack, torch.zeros(2)).tolist() == [False, True]
    assert parameters_are_finite(stack)
    stack.rows[label].params[stack.blocks[label]][0, 0] = value
    assert diverged_agents(stack, torch.zeros(2)).tolist() == [True, True]
    assert not parameters_are_finite(stack)


def totals(payloads):
    counted = PayloadTotals()
    for payload in payloads:
        counted.add(payload)
    return counted


def test_federations_side_by_side_are_counted_for_one():
    one, two = federation(), federation(seeds=(0, 1))
    alone, shared = (totals([run_rounds(simulator, 1).payload()]) for simulator in (one, two))
    assert shared.bytes_per_round(2) == alone.bytes_per_round(1)
    assert shared.bytes_per_link.max >= alone.bytes_per_link.max


def test_the_count_goes_through_a_checkpoint():
    payload = run_rounds(federation(), 1).payload()
    whole, resumed = totals([payload, payload]), PayloadTotals()
    resumed.restore(totals([payload]).state())
    resumed.add(payload)
    assert resumed.bytes_per_round() == whole.bytes_per_round()
    assert resumed.bytes_per_link == whole.bytes_per_link
