from __future__ import annotations

import pytest

from studies.robustness.cells import Cell, cells, configuration, liars_of, load_recipe
from studies.robustness.tables import breaks_at, drop, honest


@pytest.fixture(scope="module")
def recipe():
    return load_recipe()


@pytest.mark.parametrize("part", ["tune", "attacks", "places"])
def test_every_cell_is_a_configuration(recipe, part):
    own = list(cells(recipe, part))
    assert len({cell.key for cell in own}) == len(own)
    for cell in own:
        configuration(recipe, cell)


@pytest.mark.parametrize(
    ("placement", "attackers", "names"),
    [
        ("one of each", 3, ["top-0", "bottom-0", "top-1"]),
        ("one modality", 2, ["top-0", "top-1"]),
        ("multimodal", 1, ["bottom+top-0"]),
        ("", 0, []),
    ],
)
def test_who_lies(recipe, placement, attackers, names):
    cell = Cell(
        part="places", set="digits", topology="full", rule="none", attack="sign-flip",
        placement=placement, attackers=attackers,
    )  # fmt: skip
    assert liars_of(recipe, cell) == names


def row(attack, accuracy, attackers=()):
    own = {"attack": attack, "rule": "none", "set": "digits", "topology": "full"}
    return own | {"accuracy": {"0": accuracy}, "liar_names": list(attackers)}


def test_the_same_agents_are_compared():
    quiet = row("", {"a-0": 0.2, "b-0": 0.8})
    lied = row("random", {"a-0": 0.1, "b-0": 0.7}, ["a-0"])
    assert honest(lied, ["a-0"]) == pytest.approx(70)
    assert drop(lied, [quiet, lied]) == pytest.approx(10)


@pytest.mark.parametrize(
    ("accuracies", "told"),
    [
        ([0.79, 0.76, 0.2], "2"),
        ([0.79, 0.78], "none"),
        ([], "missing"),
        ([None, None], "ill-posed"),
    ],
)
def test_where_a_rule_breaks(accuracies, told):
    rows = [row("", {"b-0": 0.8})]
    own = {
        number: row("random", {"b-0": value}) if value else {"refused": "too few neighbours"}
        for number, value in enumerate(accuracies, start=1)
    }
    assert breaks_at(own, rows) == told
