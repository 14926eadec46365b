from __future__ import annotations

import warnings

import pytest
import torch

from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.overlays.graph import OverlayWarning
from parse_dfl.ranks.group import Ranks
from tests.ranks.federations import AGENTS, CASES, sharded
from tests.ranks.rank_pool import together
from tests.small import federation, run_rounds

FOUR = ("parse", "harmony", "sheaf-dmfl", "changes")
COARSE = {
    ("parse", "float32"): 1e-5,
    ("dsgd-hybrid", "float32"): 1e-5,
    ("parse", "bfloat16"): 1e-2,
}
"""Jobs in less than float64, and by how much ranks may end elsewhere."""
STOPPED = ("changes", "sheaf with changes", "harmony")


def trained(ranks, jobs):
    """(case, dtype) → the state after all rounds, the payload, and the agents of this rank."""
    warnings.simplefilter("ignore", OverlayWarning)
    found = {}
    for name, dtype in jobs:
        simulator = run_rounds(sharded(ranks, dtype=dtype, **CASES[name]), CASES[name]["rounds"])
        payload = simulator.payload()
        agents = [agent.name for agent in simulator.layout.agents]
        found[name, dtype] = (simulator.tensors(), payload, agents)
    return found


def alone(name, dtype="float64"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlayWarning)
        return run_rounds(federation(**CASES[name] | {"dtype": dtype}), CASES[name]["rounds"])


@pytest.fixture(scope="module")
def on_ranks(tmp_path_factory):
    """Ranks → what each of them made of all its jobs."""
    jobs = {
        2: [(name, "float64") for name in CASES] + [*COARSE],
        4: [(name, "float64") for name in FOUR],
    }
    results = {
        size: together(size, trained, tmp_path_factory.mktemp(f"on-{size}"), own)
        for size, own in jobs.items()
    }
    for result in (each for own in results.values() for each in own):
        if isinstance(result, Exception):
            raise result
    return results


def assert_same(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if "memory" in key:  # in another order
            assert found[key].shape == value.shape
            continue
        apart = (found[key].double() - value.double()).norm()
        assert apart <= tolerance * value.double().norm(), key


@pytest.mark.parametrize(
    ("size", "name"), [(2, name) for name in CASES] + [(4, name) for name in FOUR]
)
def test_ranks_end_with_the_numbers_of_one_process(on_ranks, size, name):
    one = alone(name)
    state, payload, _ = on_ranks[size][0][name, "float64"]
    assert_same(state, one.tensors(), 1e-9)
    assert payload == one.payload()


@pytest.mark.parametrize("job", COARSE)
def test_in_less_precision_they_differ_by_rounding(on_ranks, job):
    state, _, _ = on_ranks[2][0][job]
    assert_same(state, alone(*job).tensors(), COARSE[job])


def test_every_agent_is_trained_by_one_rank(on_ranks):
    for results in on_ranks.values():
        agents = [name for result in results for name in result["parse", "float64"][2]]
        assert len(agents) == len(set(agents)) == 11


def test_only_the_first_rank_has_the_whole_state(on_ranks):
    assert all(not result["parse", "float64"][0] for result in on_ranks[4][1:])


def continued(ranks, states):
    """From the state of one process after two rounds to the end."""
    found = {}
    for name, state in states.items():
        simulator = sharded(ranks, **CASES[name])
        simulator.restore(state if ranks.is_main else {}, 2)
        found[name] = run_rounds(simulator, CASES[name]["rounds"] - 2).tensors()
    simulator = sharded(ranks, **CASES["parse"])
    try:
        simulator.restore(states["harmony"] if ranks.is_main else {}, 2)
    except Exception as error:  # noqa: BLE001 - the test judges it
        found["other"] = error
    return found


def test_a_state_of_one_process_goes_on_on_three_ranks(tmp_path):
    states = {}
    for name in STOPPED:
        half = run_rounds(federation(**CASES[name]), 2).tensors()
        states[name] = {key: value.clone() for key, value in half.items()}
    results = together(3, continued, tmp_path, states)
    for name in STOPPED:
        assert_same(results[0][name], alone(name).tensors(), 1e-9)
    first, *others = (result["other"] for result in results)
    assert isinstance(first, CheckpointError)
    assert all("rank 0 of 3: the checkpoint holds the branches" in str(o) for o in others)


def test_what_ranks_cannot_train_is_refused():
    with pytest.raises(ConfigError, match=r"oracle ties the gradients .* 2 ranks cannot"):
        sharded(Ranks(0, 2), "oracle")
    with pytest.raises(ConfigError, match="12 ranks for 11 agents; start at most 11"):
        sharded(Ranks(0, 12))


def test_a_memory_that_does_not_say_whose_it_is_is_refused():
    simulator = federation("sheaf-dmfl", agents="a=3")
    run_rounds(simulator, 1)
    shards = sharded(Ranks(0, 1), "sheaf-dmfl", agents="a=3")
    rows = next(r for r in simulator.layout.branches.values() if r.memory)
    del rows.memory["edges"]
    with pytest.raises(CheckpointError, match="keeps a memory without 'edges'"):
        shards.restore(simulator.tensors(), 1)


def test_one_rank_is_a_simulator():
    ours, plain = sharded(Ranks()), federation(agents=AGENTS)
    for name, value in run_rounds(ours, 2).tensors().items():
        assert torch.equal(value, run_rounds(plain, 2 - plain.round).tensors()[name])
