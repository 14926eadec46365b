from __future__ import annotations

import pytest

from parse_dfl.analysis.probing.purity import belongs, is_label_bit, purity


@pytest.mark.parametrize(
    ("factor", "representation", "expected"),
    [
        ("redundant2", "redundant.a", True),
        ("redundant", "unique.a", False),
        ("unique_a1", "unique.a", True),
        ("unique_b", "unique.a", False),
        ("unique_b", "unique.a,b", True),
        ("synergy", "synergistic.a+b", True),
        ("synergy_ab", "synergistic.a,b", True),
        ("synergy_bc1", "synergistic.a+b", False),
        ("synergy_bc1", "synergistic.b+c", True),
    ],
)
def test_which_bit_belongs_where(factor, representation, expected):
    assert belongs(factor, representation) is expected


def test_keys_are_no_label_bits():
    assert not is_label_bit("key_ab_a")
    assert is_label_bit("synergy_ab")


def test_purity_is_the_least_of_its_own_and_the_greatest_of_the_others():
    accuracy = {"label": 1.0, "redundant1": 0.9, "redundant2": 0.8, "unique_a": 0.6, "key_a": 1.0}
    pure = purity("redundant.a", {**accuracy, "synergy": 0.7})
    assert (pure.own, pure.other, pure.worst) == (0.8, 0.7, "synergy")
    assert purity("unique.b", {"label": 1.0}).own is None
