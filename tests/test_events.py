from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError
from parse_dfl.events import ModalityEvent, parse_event


def test_a_gain_and_a_loss():
    assert parse_event("40:acc+gyro-0:-acc") == ModalityEvent(
        round=40, agent="acc+gyro-0", modality="acc", gained=False
    )
    assert parse_event("1:acc-0:+gyro").gained


@pytest.mark.parametrize("text", ["", "40:acc-0", "0:a:+b", "x:a:+b", "4::+b", "4:a:b", "4:a:+b:c"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"is no modality event; write .*'40:acc-0:\+gyro'"):
        parse_event(text)


def test_the_modality_must_be_a_name():
    with pytest.raises(ConfigError, match="'b=c' is no modality name"):
        parse_event("4:a:+b=c")


def test_names_as_given_are_known_by_their_keys():
    event = parse_event("4:left wrist-0:+puls.ohr")
    assert (event.agent, event.modality) == ("left-u20-wrist-0", "puls-u2e-ohr")
