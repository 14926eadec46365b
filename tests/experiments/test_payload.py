from __future__ import annotations

import pytest

from parse_dfl.experiments.payload import PayloadMeter
from parse_dfl.experiments.run import run
from parse_dfl.simulation.agreement import STEPS
from tests.small import federation, run_rounds

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


def test_federations_side_by_side_are_counted_for_one():
    one, two = federation(), federation(seeds=(0, 1))
    meters = [PayloadMeter(run_rounds(simulator, 1)) for simulator in (one, two)]
    for meter in meters:
        meter.count()
    alone, shared = meters[0].summary(1), meters[1].summary(2)
    assert shared["payload_bytes_per_round"] == alone["payload_bytes_per_round"]
    assert shared["payload_bytes_per_link"]["max"] >= alone["payload_bytes_per_link"]["max"]


@pytest.mark.parametrize("settings", [{"absence": 0.4}, {"topology": "random-matching"}])
def test_rounds_that_differ_are_all_counted(settings):
    simulator = federation(**settings)
    meter, expected = PayloadMeter(simulator), []
    for _ in range(4):
        run_rounds(simulator, 1)
        meter.count()
        expected.append(simulator.payload().total_bytes)
    assert meter.summary(1)["payload_bytes_per_round"] == sum(expected) / 4
    assert len(set(expected)) > 1 or "topology" in settings


def test_stages_and_events_are_counted_anew():
    """Many layouts one after another: an old one's payload must not stand in for a new one's."""
    events = [f"{t}:a-0:{'+' if t % 2 == 0 else '-'}b" for t in range(2, 12)]
    simulator = federation("harmony", rounds=12, events=events)
    meter, expected = PayloadMeter(simulator), 0
    for _ in range(12):
        run_rounds(simulator, 1)
        meter.count()
        expected += simulator.payload().total_bytes
    assert meter.summary(1)["payload_bytes_per_round"] == expected / 12


def test_the_count_goes_through_a_checkpoint():
    simulator = run_rounds(federation(), 1)
    first, second = PayloadMeter(simulator), PayloadMeter(simulator)
    first.count()
    second.restore(first.state())
    second.count()
    first.count()
    assert second.summary(1) == first.summary(1)


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
