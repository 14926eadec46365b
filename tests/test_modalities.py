from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.errors import ConfigError
from parse_dfl.modalities import agent_key, key, modality_set, pairs

NAMES = st.lists(st.from_regex(r"[A-Za-z0-9_]{1,4}", fullmatch=True), min_size=1, unique=True)


@given(NAMES)
def test_a_set_and_its_key_stand_for_each_other_in_any_order(names):
    owned = modality_set(reversed(names))
    assert owned == tuple(sorted(names))
    assert modality_set(key(names)) == modality_set("+".join(names)) == owned


@given(NAMES)
def test_pairs_are_sorted_and_all_there(names):
    found = pairs(names)
    assert len(set(found)) == len(found) == len(names) * (len(names) - 1) // 2
    assert all(first < second for first, second in found)
    assert found == sorted(found)


def test_spaces_around_names_do_not_count():
    assert modality_set(" gyro + acc ") == ("acc", "gyro")


@pytest.mark.parametrize("text", ["", "acc+", "acc+ +gyro", "a=b", "a,b", "a\nb"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ConfigError, match=r"is no modality name"):
        modality_set(text)


def test_names_of_any_letters_are_kept_by_their_keys():
    owned = modality_set("puls.ohr+left wrist")
    assert owned == ("left-u20-wrist", "puls-u2e-ohr")
    assert modality_set(key(owned)) == owned


@pytest.mark.parametrize(
    ("given_name", "inside"),
    [
        ("left wrist-0", "left-u20-wrist-0"),
        ("puls.ohr+left wrist-12", "left-u20-wrist+puls-u2e-ohr-12"),
        ("left-u20-wrist-0", "left-u20-wrist-0"),
        ("site-a", "site-a"),
    ],
)
def test_agents_of_a_mix_are_found_by_the_names_as_given(given_name, inside):
    assert agent_key(given_name) == inside


@pytest.mark.parametrize("names", ["acc+acc", []])
def test_a_set_names_at_least_one_modality_each_once(names):
    with pytest.raises(ConfigError, match="must name at least one modality, each once"):
        modality_set(names)
