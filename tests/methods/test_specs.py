"""Methods as objects: one for each name, with the options that its builder takes."""

from __future__ import annotations

import pytest

import parse_dfl.methods
from parse_dfl.errors import ConfigError
from parse_dfl.methods import DSGD, Harmony, Oracle, Parse, ParseAdaptive
from parse_dfl.methods.names import METHODS
from parse_dfl.methods.registry import build_method
from parse_dfl.methods.specs import SPECS, spec_of


@pytest.mark.parametrize("name", [*METHODS, "parse@dsgd-task", "parse@local"])
def test_every_name_has_an_object_that_can_be_built(name):
    spec = spec_of(name)
    assert spec.name == name
    assert spec.options() == {}
    assert build_method(spec.name, spec.options()).name == name


def test_the_package_offers_every_object():
    assert {spec.__name__ for spec in SPECS} < set(parse_dfl.methods.__all__)
    assert set(parse_dfl.methods._HOMES) == set(parse_dfl.methods.__all__)
    for name in parse_dfl.methods.__all__:
        assert getattr(parse_dfl.methods, name).__doc__
    assert set(dir(parse_dfl.methods)) == set(parse_dfl.methods.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Prase'"):
        parse_dfl.methods.Prase  # noqa: B018


def test_only_what_differs_from_the_defaults_is_an_option():
    spec = Parse(contrastive_weight=0.3, head_weight=0.0, lr=0.01)
    assert spec.options() == {"contrastive_weight": 0.3}
    assert Harmony(tau=0.1).options() == {"tau": 0.1}
    assert DSGD("task", lr=0.1).options() == {}
    assert Parse(sharing="task").name == "parse@task"


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: DSGD("hybird"), "did you mean 'dsgd-hybrid'"),
        (lambda: Parse(sharing="hibrid"), "did you mean 'hybrid'"),
        (lambda: Parse(lr=-1), "lr must be above 0, not -1"),
        (lambda: Parse(contrastive_weight=-0.1), "contrastive_weight must be at least 0"),
        (lambda: Harmony(tau="high"), "tau must be a number, not 'high'"),
        (lambda: Harmony(tau=True), "must be a number, not True"),
        (lambda: ParseAdaptive(hold_out=2.5), "must be a whole number"),
        (lambda: ParseAdaptive(temperature=0), "temperature must be above 0"),
        (lambda: Oracle(head_weight=float("nan")), "head_weight"),
    ],
)
def test_options_are_checked_when_they_are_given(build, words):
    with pytest.raises(ConfigError, match=words):
        build()
