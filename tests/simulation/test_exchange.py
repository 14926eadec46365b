from __future__ import annotations

import pytest

from parse_dfl.simulation.exchange import Payload
from tests.small import federation, run_rounds


def widths(simulator):
    return {branch.label: rows.width for branch, rows in simulator.layout.branches.items()}


def test_a_ring_of_equal_agents_sends_its_whole_model_over_every_link():
    simulator = federation("dsgd-task", agents="a=5")
    model = 4 * sum(widths(simulator).values())
    assert simulator.payload() == Payload(5 * 2 * model, 10, model)


@pytest.mark.parametrize(("method", "factor"), [("dsgd-hybrid", 1), ("gradient-surgery", 2)])
def test_surgery_sends_updates_too(method, factor):
    simulator = federation(method, agents="a=4")
    assert simulator.payload().largest_bytes == factor * 4 * sum(widths(simulator).values())


def test_shared_moments_double_the_payload():
    plain, shared = (federation(share_moments=name).payload() for name in ("none", "second"))
    assert shared.total_bytes == 2 * plain.total_bytes
    assert shared.links == plain.links


def test_a_sheaf_sends_projections_of_heads():
    simulator = federation("sheaf-dmfl", agents="a=3")
    width = widths(simulator)
    expected = 4 * (width["a/encoder"] + min(64, width["any/head"]))
    assert simulator.payload().largest_bytes == expected


def test_nobody_sends_anything_in_local_training():
    payload = federation("local").payload()
    assert payload == Payload(0, 0, 0)
    assert payload.mean_bytes == 0.0


def test_absent_agents_send_nothing():
    simulator = run_rounds(federation(absence=0.5, agents="a=6"), 1)
    full = federation(agents="a=6").payload()
    assert simulator.payload().total_bytes < full.total_bytes
