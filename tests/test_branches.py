from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.branches import Branch, architecture_hash, stable_hash

PARTS = st.lists(st.text("ab ", max_size=3), min_size=1, max_size=3)


def test_hashes_are_the_same_in_every_process():
    assert stable_hash("acc", 1) == 4228744090340717271
    assert architecture_hash("Linear", (3, 4)) == "1694ea79"


@given(PARTS, PARTS)
def test_only_equal_parts_have_equal_hashes(first, second):
    assert (stable_hash(*first) == stable_hash(*second)) == (first == second)
    assert 0 <= stable_hash(*first) < 2**63


def test_a_branch_is_named_with_and_without_its_architecture_hash():
    branch = Branch("acc", "backbone", "0123abcd")
    assert (str(branch), branch.label) == ("acc/backbone/0123abcd", "acc/backbone")


def test_branches_sort_by_modality_then_component():
    branches = [Branch("b", "x", "1"), Branch("a", "y", "0"), Branch("a", "x", "2")]
    assert [branch.label for branch in sorted(branches)] == ["a/x", "a/y", "b/x"]
