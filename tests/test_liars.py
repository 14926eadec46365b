from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError
from parse_dfl.liars import Liar, check_liars, parse_liar


@pytest.mark.parametrize(
    ("text", "liar"),
    [
        ("acc-0:random", Liar(agent="acc-0", attack="random", strength=1.0)),
        ("acc+gyro-1:sign-flip", Liar(agent="acc+gyro-1", attack="sign-flip", strength=1.0)),
        ("acc-0:scale:-2", None),
        ("acc-0:scale:2.5", Liar(agent="acc-0", attack="scale", strength=2.5)),
    ],
)
def test_liars(text, liar):
    if liar:
        assert parse_liar(text) == liar
    else:
        with pytest.raises(ConfigError, match="must be a number above 0"):
            parse_liar(text)


@pytest.mark.parametrize("text", ["acc-0", ":random", "", "a:scale:1:2"])
def test_what_is_no_liar(text):
    with pytest.raises(ConfigError, match="is no liar; write AGENT:ATTACK"):
        parse_liar(text)


def test_an_unknown_attack_offers_the_nearest():
    with pytest.raises(ConfigError, match="unknown attack 'sign-flop'; did you mean 'sign-flip'"):
        parse_liar("acc-0:sign-flop")


@pytest.mark.parametrize("strength", ["zero", "0", "nan", "inf", ""])
def test_strengths(strength):
    with pytest.raises(ConfigError, match=r"strength of liar .* must be a number above 0"):
        parse_liar(f"acc-0:scale:{strength}")


def test_liars_must_be_there_and_have_one_attack():
    liars = [parse_liar("acc-0:random"), parse_liar("acc-0:scale")]
    check_liars(liars[:1], ["acc-0", "acc-1"])
    with pytest.raises(ConfigError, match="unknown agent 'acc-0'"):
        check_liars(liars, ["acc-1"])
    with pytest.raises(ConfigError, match="'acc-0' is named twice"):
        check_liars(liars, ["acc-0"])
