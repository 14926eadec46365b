from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError
from parse_dfl.methods.byzantine_rules import (
    Balance,
    Clipping,
    TrimmedMean,
    attackers_among,
    parse_robust,
)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("none", None),
        ("clipping", Clipping()),
        ("clipping:attackers=2", Clipping(attackers=2)),
        ("clipping:radius=0.5", Clipping(radius=0.5)),
        ("balance:gamma=0.5, kappa=0", Balance(gamma=0.5, kappa=0)),
        ("trimmed-mean:attackers=0.3", TrimmedMean(attackers=0.3)),
    ],
)
def test_settings(text, settings):
    assert parse_robust(text) == settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cliping", "unknown robust mixing 'cliping'; did you mean 'clipping'"),
        ("none:", "unknown robust mixing 'none'"),
        ("clipping:", "'' is no setting of clipping; write SETTING=NUMBER"),
        ("clipping:attackers=many", "'attackers=many' is no setting of clipping"),
        ("clipping:gamma=1", "clipping has no setting 'gamma'"),
        ("clipping:attackers=0", "attackers of clipping must be above 0, not 0"),
        ("clipping:radius=-1", "radius of clipping must be at least 0, not -1"),
        ("balance:gamma=inf", "'gamma=inf' is no setting of balance"),
        ("trimmed-mean:attackers=1.5", "must be a whole number, or a share below 1, not 1.5"),
    ],
)
def test_settings_that_are_none(text, told):
    with pytest.raises(ConfigError) as caught:
        parse_robust(text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("attackers", "degree", "expected"),
    [(2, 7, 2), (0.2, 7, 2), (0.2, 5, 1), (0.2, 1, 1), (0.1, 30, 3), (1, 9, 1)],
)
def test_shares_are_rounded_up(attackers, degree, expected):
    assert attackers_among(attackers, degree) == expected
