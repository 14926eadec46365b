from __future__ import annotations

import pytest

from parse_dfl.byzantine import Attacker, check_attackers, parse_attacker
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
        assert parse_attacker(text) == attacker
    else:
        with pytest.raises(ConfigError, match="must be a number above 0"):
            parse_attacker(text)


@pytest.mark.parametrize("text", ["acc-0", ":random", "", "a:scale:1:2"])
def test_what_is_no_liar(text):
    with pytest.raises(ConfigError, match="is no attacker; write AGENT:ATTACK"):
        parse_attacker(text)


def test_an_unknown_attack_offers_the_nearest():
    with pytest.raises(ConfigError, match="unknown attack 'sign-flop'; did you mean 'sign-flip'"):
        parse_attacker("acc-0:sign-flop")


@pytest.mark.parametrize("strength", ["zero", "0", "nan", "inf", ""])
def test_strengths(strength):
    with pytest.raises(ConfigError, match=r"strength of attacker .* must be a number above 0"):
        parse_attacker(f"acc-0:scale:{strength}")


def test_liars_must_be_there_and_have_one_attack():
    attackers = [parse_attacker("acc-0:random"), parse_attacker("acc-0:scale")]
    check_attackers(attackers[:1], ["acc-0", "acc-1"])
    with pytest.raises(ConfigError, match="unknown agent 'acc-0'"):
        check_attackers(attackers, ["acc-1"])
    with pytest.raises(ConfigError, match="'acc-0' is named twice"):
        check_attackers(attackers, ["acc-0"])
