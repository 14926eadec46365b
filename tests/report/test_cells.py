"""Ranks over cells, from values that can be followed by hand."""

from __future__ import annotations

from dataclasses import replace

from parse_dfl.records import Divergence
from parse_dfl.report.cells import (
    Cell,
    cells_of,
    converged_record,
    diverged_sentences,
    first_ranks,
    rankings,
)
from parse_dfl.report.load import MEAN
from parse_dfl.runs.reporting import ROLES
from tests.report.conftest import read


def cell(name="cell", **values):
    values = {key.replace("_", "-"): tuple(own) for key, own in values.items()}
    return Cell(comparison=name, scope=MEAN, values=values, roles=ROLES)


def test_mean_ranks_share_ties_and_leave_controls_out():
    first = cell(parse=(0.9,), harmony=(0.8,), local=(0.8,), oracle=(1.0,))
    second = cell(parse=(0.7,), harmony=(0.8,), local=(0.1,), parse_adaptive=(0.9,))
    assert first_ranks([first, second]) == {"parse": 1.5, "harmony": 1.75, "local": 2.75}
    assert first_ranks([]) == {}


def test_a_method_that_leads_without_a_rank_is_named():
    both = cell("both", parse=(0.9,), harmony=(0.8,))
    alone = cell("alone", local=(0.7,))
    (ranking,) = rankings([both, both, alone, cell("third", parse=(0.9,), harmony=(0.8,))])[-1:]
    assert ranking.ranks == {"harmony": 2.0, "parse": 1.0}
    assert "local has no rank: it is in 1 of 4 cells, with the highest mean in 1." in (
        ranking.sentences
    )


def test_what_has_diverged_is_named_and_makes_no_cell(shared_comparison):
    comparison = read(shared_comparison)
    lost = replace(
        comparison.methods["harmony"], diverged={1: Divergence(round=20, agents=("acc-0",))}
    )
    comparison = replace(comparison, methods={**comparison.methods, "harmony": lost})
    assert all("harmony" not in cell.values for cell in cells_of(comparison))
    assert cells_of(comparison)[0].diverged == ("harmony",)
    assert "harmony" not in converged_record(comparison).runs
    assert diverged_sentences(comparison) == [
        "harmony diverged and is neither ranked nor compared (seed 1: 1 agent has diverged since "
        "round 20 (acc-0)); a lower learning rate may help"
    ]


def test_without_roles_all_methods_compete_and_none_is_in_question(shared_comparison):
    from parse_dfl.report.load import read_comparison

    mean = cells_of(read_comparison(shared_comparison))[0]
    assert mean.competing == set(mean.values)
    assert mean.gap_closed("parse") is None
