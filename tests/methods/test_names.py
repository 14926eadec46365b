from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError
from parse_dfl.methods.names import METHODS, RULES, check_method, split_method


@pytest.mark.parametrize("name", [*METHODS, *(f"parse@{rule}" for rule in RULES)])
def test_every_method_and_every_control_is_known(name):
    check_method(name)


def test_a_rule_may_be_named_by_its_method():
    assert split_method("parse@dsgd-hybrid") == split_method("parse@hybrid") == ("parse", "hybrid")
    assert split_method("harmony") == ("harmony", None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("harmny", "unknown method 'harmny'; did you mean 'harmony'"),
        ("parse@hybird", "unknown sharing rule 'hybird'; did you mean 'hybrid'"),
        ("harmony@task", "unknown method 'harmony@task'"),
    ],
)
def test_an_unknown_name_offers_the_nearest(name, message):
    with pytest.raises(ConfigError, match=message):
        check_method(name)
