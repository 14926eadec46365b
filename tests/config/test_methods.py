"""Methods as objects: one for each name, with the options that its builder takes."""

from __future__ import annotations

import pytest

import parse_dfl.methods
from parse_dfl.config.methods import METHODS, SHARING_RULES, SPECS, WITH_SLICES, method_spec
from parse_dfl.errors import ConfigError
from parse_dfl.methods import DSGD, Harmony, Oracle, Parse, ParseAdaptive
from parse_dfl.methods.registry import build_method


@pytest.mark.parametrize("name", [*METHODS, *(f"parse@{rule}" for rule in SHARING_RULES)])
def test_every_name_has_an_object_that_can_be_built(name):
    spec = method_spec(name)
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
        (lambda: Parse(lr=-1), "lr of parse must be above 0, not -1"),
        (lambda: Parse(contrastive_weight=-0.1), "contrastive_weight of parse must be at least 0"),
        (lambda: Harmony(tau="high"), "tau of harmony must be a finite number, not 'high'"),
        (lambda: Harmony(tau=True), "must be a finite number, not True"),
        (lambda: ParseAdaptive(hold_out=2.5), "must be a whole number"),
        (lambda: ParseAdaptive(temperature=0), "temperature of parse-adaptive must be above 0"),
        (lambda: Oracle(head_weight=float("nan")), "head_weight"),
    ],
)
def test_options_are_checked_when_they_are_given(build, words):
    with pytest.raises(ConfigError, match=words):
        build()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("harmny", "unknown method 'harmny'; did you mean 'harmony'"),
        ("parse@hybird", "unknown sharing rule 'hybird'; did you mean 'hybrid'"),
        ("harmony@task", "unknown method 'harmony@task'"),
        ("harmony(tua=1)", "method 'harmony' has no option 'tua'; did you mean 'tau'"),
        ("harmony(tau=x)", r"is no method; write NAME or NAME\(OPTION=NUMBER"),
        ("harmony(tau=1", "is no method; write NAME"),
        ("harmony(tau=1,tau=2)", "each option once"),
        ("dsgd-task(tau=1)", "has no option 'tau'; it has none"),
    ],
)
def test_an_unknown_name_offers_the_nearest(name, message):
    with pytest.raises(ConfigError, match=message):
        method_spec(name)


def test_a_text_form_tells_what_differs_from_the_defaults():
    spec = Harmony(tau=0.1, lr=0.003)
    assert str(spec) == "harmony(tau=0.1,lr=0.003)"
    assert method_spec(str(spec)) == spec
    assert str(Parse()) == "parse"
    assert method_spec("parse@task(head_weight=1)") == Parse(sharing="task", head_weight=1)
    assert build_method(str(spec)).name == str(spec)


def test_a_method_of_a_program_must_be_handed_over():
    spec = method_spec("own:mine")
    assert spec.name == "own:mine"
    with pytest.raises(ConfigError, match="'own:mine' was handed over by a program"):
        build_method(spec)


def test_the_methods_with_slices_are_named():
    assert set(WITH_SLICES) == {"parse", "parse@RULE", "parse-adaptive", "parse-faithful", "oracle"}
