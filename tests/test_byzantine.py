from __future__ import annotations

import pytest

from parse_dfl.byzantine import (
    Attacker,
    Averaging,
    Balance,
    Clipping,
    RobustRule,
    TrimmedMean,
    attackers_among,
    check_attackers,
)
from parse_dfl.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "attacker"),
    [
        ("acc-0:random", Attacker(agent="acc-0", attack="random", strength=1.0)),
        ("acc+gyro-1:sign-flip", Attacker(agent="acc+gyro-1", attack="sign-flip", strength=1.0)),
        ("acc-0:scale:-2", None),
        ("acc-0:scale:2.5", Attacker(agent="acc-0", attack="scale", strength=2.5)),
    ],
)
def test_liars(text, attacker):
    if attacker:
        assert Attacker.from_string(text) == attacker
    else:
        with pytest.raises(ConfigError, match="must be a number above 0"):
            Attacker.from_string(text)


@pytest.mark.parametrize("text", ["acc-0", ":random", "", "a:scale:1:2"])
def test_what_is_no_liar(text):
    with pytest.raises(ConfigError, match="is no attacker; write AGENT:ATTACK"):
        Attacker.from_string(text)


def test_an_unknown_attack_offers_the_nearest():
    with pytest.raises(ConfigError, match="unknown attack 'sign-flop'; did you mean 'sign-flip'"):
        Attacker.from_string("acc-0:sign-flop")


@pytest.mark.parametrize("strength", ["zero", "0", "nan", "inf", ""])
def test_strengths(strength):
    with pytest.raises(ConfigError, match=r"strength of attacker .* must be a number above 0"):
        Attacker.from_string(f"acc-0:scale:{strength}")


def test_liars_must_be_there_and_have_one_attack():
    attackers = [Attacker.from_string("acc-0:random"), Attacker.from_string("acc-0:scale")]
    check_attackers(attackers[:1], ["acc-0", "acc-1"])
    with pytest.raises(ConfigError, match="unknown agent 'acc-0'"):
        check_attackers(attackers, ["acc-1"])
    with pytest.raises(ConfigError, match="'acc-0' is named twice"):
        check_attackers(attackers, ["acc-0"])


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("none", Averaging()),
        ("clipping", Clipping()),
        ("clipping:attackers=2", Clipping(attackers=2)),
        ("clipping:radius=0.5", Clipping(radius=0.5)),
        ("balance:gamma=0.5, kappa=0", Balance(gamma=0.5, kappa=0)),
        ("trimmed-mean:attackers=0.3", TrimmedMean(attackers=0.3)),
    ],
)
def test_settings(text, settings):
    assert RobustRule.from_string(text) == settings
    assert RobustRule.from_string(str(settings)) == settings


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
        RobustRule.from_string(text)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("attackers", "degree", "expected"),
    [(2, 7, 2), (0.2, 7, 2), (0.2, 5, 1), (0.2, 1, 1), (0.1, 30, 3), (1, 9, 1)],
)
def test_shares_are_rounded_up(attackers, degree, expected):
    assert attackers_among(attackers, degree) == expected


@pytest.mark.parametrize("agent", [3, None, "", " "])
def test_an_attacker_without_a_name_is_refused(agent):
    with pytest.raises(ConfigError, match="an agent's name must be text"):
        Attacker(agent=agent, attack="sign-flip")
