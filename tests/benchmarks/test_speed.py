"""The speed benchmark runs, and both of its sides do the same job."""

import pytest

from benchmarks.speed.__main__ import main
from benchmarks.speed.jobs import INPUTS, METHODS, Job
from benchmarks.speed.memory import Peak, growth
from benchmarks.speed.plain_loop import PlainLoop


def test_a_quick_run_compares_rounds_and_evaluations(capsys: pytest.CaptureFixture[str]) -> None:
    result = main(["--quick", "--threads", "1"])
    assert {(row["method"], row["part"]) for row in result["times"]} == {
        (method, part) for method in METHODS for part in ("round", "evaluation")
    }
    assert all(row["ratio"] > 0 and row["cpu_ratio"] > 0 for row in result["times"])
    assert "| vector-32 | parse | 6 | round |" in capsys.readouterr().out


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_the_loop_trains_as_many_parameters_as_the_simulator(inputs: str, method: str) -> None:
    job = Job(inputs=INPUTS[inputs], method=method, agents=3)
    branches = job.simulator().layout.branches.values()
    agents = PlainLoop(job).agents
    count = sum(value.numel() for agent in agents for value in agent.network.parameters())
    assert count == sum(rows.theta.numel() for rows in branches)


def test_twice_the_memory_for_twice_the_agents_is_linear_growth() -> None:
    small = Peak(agents=10, baseline_bytes=100, peak_bytes=300)
    large = Peak(agents=20, baseline_bytes=100, peak_bytes=500)
    assert growth(small, large) == pytest.approx(1.0)
