"""The speed benchmark runs, and both of its sides do the same job."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.speed import ceilings, growth, model, picture, rivals, tables
from benchmarks.speed.__main__ import QUICK, main
from benchmarks.speed.ceilings import Ceilings
from benchmarks.speed.growth import Cost, exponent
from benchmarks.speed.jobs import INPUTS, METHODS, Job
from benchmarks.speed.machine import Others
from benchmarks.speed.plain_loop import PlainLoop, channels_first
from benchmarks.speed.roofline import work
from benchmarks.speed.store import Store
from benchmarks.speed.timing import Effort, compare_rounds

MACHINE = {
    "date": "2026-01-02 03:04 UTC",
    "processor": "P",
    "cores": 2,
    "memory_gib": 24,
    "load": 0,
    "threads": 2,
    "torch": "2",
    "python": "3",
}


@pytest.fixture(autouse=True)
def small_ceilings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rates are measured on little, since no test reads them."""
    monkeypatch.setattr(ceilings, "AGENTS", 4)
    monkeypatch.setattr(ceilings, "COPIED_NUMBERS", 1 << 10)
    ceilings._operands.cache_clear()
    yield
    ceilings._operands.cache_clear()


def test_a_quick_run_compares_rounds_and_evaluations(capsys: pytest.CaptureFixture[str]) -> None:
    result = main(["--quick", "--threads", "1"])
    assert {(row["method"], row["part"]) for row in result["times"]} == {
        (method, part) for _, method in QUICK for part in ("round", "evaluation")
    }
    assert all(row["ratio"] > 0 and row["cpu_ratio"] > 0 for row in result["times"])
    assert "| vector-32 | parse | 6 |" in capsys.readouterr().out


PAIRS = [
    (inputs, method)
    for inputs in INPUTS
    for method in METHODS
    if method != "dsgd-mlp" or inputs.startswith("vector")  # an MLP reads vectors
]


@pytest.mark.parametrize(("inputs", "method"), PAIRS)
def test_the_loop_trains_as_many_parameters_as_the_simulator(inputs: str, method: str) -> None:
    job = Job(inputs=inputs, method=method, agents=3)
    branches = job.simulator().layout.branches.values()
    agents = PlainLoop(job).agents
    count = sum(value.numel() for agent in agents for value in agent.network.parameters())
    assert count == sum(rows.params.numel() for rows in branches)
    assert count == work(job).parameters


@pytest.mark.parametrize("inputs", INPUTS)
def test_the_loop_standardises_as_the_simulator_does(inputs: str) -> None:
    job = Job(inputs=inputs, method="parse", agents=3)
    stacks = job.simulator().layout.stacks
    theirs = {
        agent.name: {name: values[row] for name, values in stack.data.inputs.items()}
        for stack in stacks
        for row, agent in enumerate(stack.agents)
    }
    for shard, agent in zip(job.shards(), PlainLoop(job).agents, strict=True):
        for name, values in agent.inputs.items():
            expected = channels_first(theirs[shard.agent.name][name], job.kind)
            assert torch.allclose(values, expected, atol=1e-5)


def test_the_work_of_plain_dsgd_is_what_a_pencil_says() -> None:
    own = work(Job(inputs="vector-64", method="dsgd-mlp", agents=5))
    parameters = 64 * 128 + 128 + 128 * 10 + 10
    # Forward and weights' gradients of both layers, the inputs' gradient of the second alone.
    assert own.operations == 5 * 4 * 32 * 2 * (2 * 64 * 128 + 3 * 128 * 10)
    inputs = 4 * 4 * 32 * 64
    assert own.bytes == 5 * (4 * parameters * (4 * 5 + 2) + inputs)
    assert own.least_bytes == 5 * (4 * parameters * (2 + 2) + inputs)
    rates = Ceilings(operations_per_s=own.operations / 2, bytes_per_s=own.bytes / 3)
    assert own.seconds(rates) == pytest.approx(5.0)


def test_twice_the_cost_for_twice_the_size_is_linear_growth() -> None:
    assert exponent((10, 20), (100, 200)) == pytest.approx(1.0)
    assert exponent((10, 20), (100, 400)) == pytest.approx(2.0)


def test_a_cost_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(inputs="vector-32", method="dsgd-mlp", agents=6)
    monkeypatch.setattr(growth, "SECONDS", 0.0)
    cost = growth._cost(job)
    assert cost.parameters == work(job).parameters
    assert cost.payload_bytes == 2 * 4 * cost.parameters  # a ring: each agent sends to two
    assert sum(cost.shares().values()) == pytest.approx(1.0)
    assert 0 < cost.data < cost.train
    assert cost.roofline


def test_a_stopped_run_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def cell(number: int) -> tuple[str, dict[str, Any], Any]:
        def measure() -> dict[str, Any]:
            taken.append(number)
            return {"value": number}

        return "times", {"number": number}, measure

    monkeypatch.setattr(Others, "cores", lambda self: 0.0)
    path = tmp_path / "result.json"
    cells = [cell(0), cell(1)]
    assert not Store(path).take(cells, within_s=-1.0, keep=True)
    assert Store(path).take(cells[:1], within_s=60.0, keep=True)
    assert Store(path).take(cells, within_s=60.0, keep=True)
    assert taken == [0, 1]
    assert [row["value"] for row in json.loads(path.read_text())["times"]] == [0, 1]


def test_what_others_disturbed_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([1, 2, 3])
    others = iter([0.9, 1.1, 0.1])
    monkeypatch.setattr(Others, "cores", lambda self: next(others))
    cells = [("times", {"number": 0}, lambda: {"value": next(values)})]
    store = Store(tmp_path / "result.json")
    for expected in (1, 1, 3, 3):
        store.take(cells, within_s=60.0, keep=False)
        assert [row["value"] for row in store.result["times"]] == [expected]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--parts", "tims"],
            "--parts: no tims; there are startup, times, compiled, growth, rivals",
        ),
        (["--agents", "16,17"], "--agents: no 17; there are 16, 100, 1000"),
        (["--series", "depth"], "--series: 'depth' is in none of agents, D-SGD"),
        (["--parts", "rivals"], "--parts rivals needs --rivals PYTHON"),
        (["--device", "tpu"], "--device: no 'tpu'; there are cpu and cuda"),
        (["--device", "cuda"], "--device cuda: --parts times,compiled, not"),
    ],
)
def test_what_would_measure_nothing_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--device", "cuda", "--parts", "times"])
    assert "this machine, or this torch, has no CUDA device" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_rounds_are_timed_on_another_device() -> None:
    job = Job(inputs="vector-32", method="parse", agents=3, device="cuda")
    pair, roofline = compare_rounds(job, Effort(pairs=2, seconds=0.0))
    assert pair.ratio > 0
    assert roofline.roofline > 0


def test_the_table_names_a_package_that_failed_and_what_it_said() -> None:
    case = {"features": 64, "agents": 16, "compiled": True}
    won = {"simulator": 0.002, "rival_seconds": 0.03, "ratio": 15.0}
    rows = [case | {"rival": "one"} | won, case | {"rival": "other", "failed": "no such module"}]
    table = tables.render({"machine": MACHINE, "rivals": rows})
    assert "| 64-128-10 | 16 | one | yes | 30.0 | 2.0 | 15.0 |" in table
    assert "| 64-128-10 | 16 | other | yes | no such module |" in table


def test_the_growth_table_gives_exponents_and_shares() -> None:
    def row(size: int) -> dict[str, Any]:
        cost = Cost(
            build=1.0,
            operations=size,
            train=0.08 * size,
            mix=0.01 * size,
            data=0.02 * size,
            evaluation=0.1 * size,
            parameters=size,
            roofline=0.045 * size,
            payload_bytes=size,
            baseline_bytes=0,
            peak_bytes=size << 20,
        )
        return {"series": "agents", "size": size, "agents": size, **vars(cost)}

    table = tables.render({"machine": MACHINE, "growth": [row(1), row(10)]})
    assert "| agents: 10 | 900.0 | 1.00 | 50% | 10 | 1.00 |" in table
    assert "| agents: 1 | 60% | 20% | 10% | 10% |" in table


def test_the_model_finds_the_coefficients_that_made_the_numbers() -> None:
    def measured(agents: int, topology: str) -> tuple[str, Job, Cost]:
        job = Job(inputs="vector-64", method="dsgd-mlp", agents=agents, topology=topology)
        parameters = 9610 * agents
        matrix, beyond = 4 * parameters, model.CACHE_BYTES
        cost = Cost(
            build=0.0,
            train=1.0,
            mix=(model.degree(job) + 2) * (2e-11 * matrix + 1e-11 * max(0, matrix - beyond)),
            data=0.0,
            evaluation=1.0,
            parameters=parameters,
            operations=None,
            roofline=None,
            payload_bytes=model.degree(job) * 4 * parameters,
            baseline_bytes=0,
            peak_bytes=1,
        )
        return "", job, cost

    rows = [
        measured(n, topology) for n in (10, 100, 2000, 4000) for topology in ("ring", "regular:4")
    ]
    named = {quantity.name: quantity for quantity in model.QUANTITIES}
    assert model.fit(named["mixing"], rows) == pytest.approx(
        [2e-11, 1e-11, 0, 0], rel=1e-3, abs=1e-15
    )
    assert model.fit(named["payload"], rows) == pytest.approx([1.0])
    _, job, cost = measured(5000, "regular:8")
    error = model.error(named["mixing"], model.fit(named["mixing"], rows), job, cost)
    assert error == pytest.approx(0.0, abs=1e-3)


def test_a_package_that_is_not_installed_is_told_not_raised() -> None:
    from sys import executable

    said = rivals.compare("nobody", 64, 3, executable, threads=1)
    assert isinstance(said, str)
    assert "nobody_job" in said


def test_the_picture_keeps_series_that_the_newest_run_did_not_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rows(name: str, *seconds: float) -> list[dict[str, Any]]:
        return [{"series": name, "size": n, "train": each} for n, each in enumerate(seconds)]

    results = [
        {"growth": rows("agents, x", 1, 2) + rows("agents, y", 3, 4)},
        {"growth": rows("agents, y", 5, 6) + rows("degree", 7, 8) + rows("agents, z", 9)},
        {"times": []},
    ]
    monkeypatch.setattr(picture, "kept", lambda: results)
    found = picture.newest_over_agents()
    assert {name: [row["train"] for row in own] for name, own in found.items()} == {
        "x": [1, 2],
        "y": [5, 6],
    }


def test_the_readme_keeps_what_the_newest_run_did_not_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def result(date: str, **seconds: float) -> dict[str, Any]:
        won = {"features": 64, "agents": 16, "simulator": 0.002, "ratio": 15.0}
        rows = [won | {"rival": name, "rival_seconds": own} for name, own in seconds.items()]
        return {"machine": MACHINE | {"date": date}, "rivals": rows}

    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    monkeypatch.setattr(tables, "README", readme)
    monkeypatch.setattr(
        tables, "kept", lambda: [result("first", a=0.1, b=0.2), result("then", b=1)]
    )
    tables.update_readme()
    new, _, old = readme.read_text().partition("then")[2].partition("first")
    assert "| b |  | 1000 |" in new
    assert "| a |  | 100.0 |" in old
    assert "| b |" not in old
    assert readme.read_text().count("### Other packages, 2 threads") == 1
    assert readme.read_text().endswith("after\n")
