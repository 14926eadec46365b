from __future__ import annotations

import pytest

from parse_dfl.config.methods import METHODS, SHARING_RULES
from parse_dfl.errors import ConfigError
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.parse import ParseNetwork
from tests.federation import tiny_simulator

NAMES = [*METHODS, *(f"parse@{rule}" for rule in SHARING_RULES)]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_builds_a_method_that_trains(name):
    method = build_method(name)
    assert method.name == name
    has_slices = name.startswith(("parse", "oracle")) and name != "parse-faithful"
    assert issubclass(method.network, ParseNetwork) == has_slices
    simulator = tiny_simulator(method, "a=1,b=1,a+b=2", rounds=3)  # no method has more stages
    before = simulator.tensors()
    before = {key: value.clone() for key, value in before.items() if key.endswith("|theta")}
    for _ in range(3):
        simulator.step()
    after = simulator.tensors()
    changed = [bool((after[key] != value).any()) for key, value in before.items()]
    assert all(changed)
    assert all(after[key].isfinite().all() for key in before)


def test_options_reach_their_method():
    assert build_method("harmony", {"first_stage": 0.25}).stages[0].fraction == 0.25
    coupling = build_method("sheaf-dmfl", {"edge_width": 3, "head_step": 1}).stages[0].exchanges
    assert coupling["head"].options.edge_width == 3
    assert coupling["head"].options.head_step == 1.0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("prase", {}, "unknown method 'prase'; did you mean 'parse'"),
        ("parse@tsk", {}, "unknown sharing rule 'tsk'; did you mean 'task'"),
        ("harmony", {"tua": 1}, "method 'harmony' has no option 'tua'; did you mean 'tau'"),
        ("parse@task", {"tau": 1}, "method 'parse@task' has no option 'tau'.* known: "),
        ("dsgd-task", {"tau": 1}, "method 'dsgd-task' has no option 'tau'; it has none"),
        ("harmony", {"tau": "big"}, "option tau of harmony must be a number, not 'big'"),
        ("harmony", {"tau": True}, "option tau of harmony must be a number, not True"),
        ("parse", {"temperature": 0.0}, "temperature of parse must be above 0, not 0"),
        ("parse", {"head_weight": -1}, "head_weight of parse must be at least 0, not -1"),
        ("harmony", {"tau": float("nan")}, "tau of harmony must be a finite number, not nan"),
        ("sheaf-dmfl", {"edge_width": 0}, "edge_width of sheaf-dmfl must be at least 1, not 0"),
        (
            "harmony",
            {"first_stage": 1.0},
            r"first_stage of harmony must be above 0 and below 1, not 1",
        ),
        ("sheaf-dmfl", {"edge_width": 2.5}, "edge_width of sheaf-dmfl must be a whole number"),
        ("sheaf-dmfl", {"edge_width": float("inf")}, "must be a whole number, not inf"),
    ],
)
def test_what_is_unknown_or_no_number_is_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build_method(name, options)
