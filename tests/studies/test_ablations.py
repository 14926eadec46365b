"""Every ablation is a run; what is left out at test time changes what is said."""

from __future__ import annotations

import pytest
import torch

from parse_dfl.errors import ConfigError
from parse_dfl.networks.network import Outputs
from parse_dfl.overlays.topologies import Topology
from studies.ablations.__main__ import ablations, configuration, run
from studies.ablations.test_time import prediction_without
from studies.accuracy.recipe import TopologySpec


def test_every_value_of_every_ablation_is_a_valid_run():
    recipe, folders = TopologySpec(), set()
    for ablation in ablations():
        folders.add(ablation.folder)
        for method in ablation.values["methods"]:
            config = configuration(ablation, recipe, method)
            Topology.of(config.overlay.topology)
            assert config.data.evaluate_on == "validation"
    assert len(folders) == len(list(ablations()))


def test_letters_stand_for_the_modalities_of_the_set():
    (found,) = {
        configuration(ablation, TopologySpec(), "parse").events
        for ablation in ablations(["events"])
        if ablation.cell.name == "digits" and ablation.value == ["50:A-0:+B", "50:B-0:+A"]
    }
    assert tuple(map(str, found)) == ("50:top-0:+bottom", "50:bottom-0:+top")


def test_events_are_of_agents_that_exist():
    recipe = TopologySpec()
    for ablation in ablations(["events"]):
        config = configuration(ablation, recipe, "parse")
        names = {agent.name for agent in config.agents.agents(0)}
        assert {event.agent for event in config.events} <= names


def test_a_run_tells_parameters_spectral_gaps_and_what_was_left_out():
    recipe = TopologySpec()
    recipe.values["training"]["rounds"] = 2
    by_name = {a.name: a for a in ablations(["topology", "test-time"]) if a.cell.name == "digits"}
    for ablation in by_name.values():
        ablation.values["seeds"][:] = [100]
    gaps = run(by_name["topology"], recipe)["methods"]["parse"]["spectral_gap_of_round_1"]
    assert {"top/backbone", "bottom+top/synergy"} <= gaps.keys()
    assert gaps["any/redundant"] == pytest.approx(1.0, abs=1e-4)  # the last topology is full
    named = run(by_name["test-time"], recipe)["methods"]
    assert {"parse", "parse without unique", "parse without top"} <= named.keys()


def test_without_a_slice_its_logits_are_missing_from_the_sum():
    slices = {"redundant": torch.ones(1, 2), "unique.a": torch.full((1, 2), 3.0)}
    outputs = Outputs(torch.full((1, 2), 4.0), {"a": torch.full((1, 2), 4.0)}, {}, slices)
    assert torch.equal(prediction_without("unique")(outputs), slices["redundant"])
    assert torch.equal(prediction_without("a")(outputs), outputs.logits)  # nothing else is left


def test_an_unknown_ablation_is_refused():
    with pytest.raises(ConfigError, match=r"unknown ablation 'fussion'.*fusion"):
        list(ablations(["fussion"]))
