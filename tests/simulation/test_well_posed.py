from __future__ import annotations

import warnings

import pytest

from parse_dfl.errors import OverlayError
from parse_dfl.simulation.well_posed import UnguardedWarning
from tests.small import federation


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"agents": "a=3,b=3,a+b=2", "robust": "clipping"},
            r"ill-posed on a\+b/\w+: a\+b-0 has 1 n",
        ),
        ({"agents": "a=5", "robust": "trimmed-mean"}, r"on a/backbone: a-0 has 2 neighbours"),
    ],
)
def test_ill_posed_rules_are_refused_before_the_first_round(settings, told):
    with pytest.raises(OverlayError, match=told):
        federation(**settings)


@pytest.mark.parametrize("method", ["local", "oracle"])
def test_where_nothing_is_exchanged_nothing_can_be_ill_posed(method):
    federation(method, agents="a=2", robust="trimmed-mean")


def test_rules_of_a_methods_own_are_not_guarded():
    with pytest.warns(UnguardedWarning, match="sheaf-dmfl exchanges head by a rule of its own"):
        federation("sheaf-dmfl", agents="a=4", robust="clipping")


def test_averaging_is_guarded_in_every_stage():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulator = federation("dsgd-hybrid", agents="a=4", robust="clipping")
    assert str(simulator.stage.averaging) == "clipping of liars=0.2"


def test_a_global_momentum_that_drives_neighbours_apart_is_refused():
    chordal = {"agents": "a=10", "topology": "chordal-ring"}
    told = r"eigenvalue of -0\.600 there.*less than --global-momentum 0\.33"
    with pytest.raises(OverlayError, match=told):
        federation(global_momentum=0.8, **chordal)
    federation(global_momentum=0.3, **chordal)
    federation(global_momentum=0.8, agents="a=10", topology="ring")
