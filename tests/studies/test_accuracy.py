"""The accuracy benchmark runs, goes on where it was stopped, and shows what is missing."""

from __future__ import annotations

import json

import pytest

from parse_dfl.errors import ConfigError
from studies.accuracy.__main__ import main
from studies.accuracy.families import families_table
from studies.accuracy.figures import draw_figures
from studies.accuracy.main_table import MARK, write_main_table
from studies.accuracy.recipe import Cell, TopologySpec, Unit
from studies.accuracy.results import add, read_cell
from studies.accuracy.run import missing_jobs
from studies.accuracy.tables import accuracy_table, difference_table
from studies.accuracy.tune import choice_table

CELL = Cell("digits", "5+5+5", "iid")


def made(values, method="parse"):
    """What a unit gives, as far as results care."""
    score = {"mean": sum(values) / len(values), "ci95": None, "values": values}
    entry = {
        "groups": {"top": dict.fromkeys(("accuracy", "macro_f1", "local_accuracy"), score)},
        "mean_accuracy": score,
        "payload_bytes_per_link": {"mean": 1000.0, "max": 1000},
        "seconds": 1.0,
        "lr": 0.1,
        "curve": [],
    }
    config = {"method_options": {}, "training": {"lr": 0.1, "rounds": 5}}
    return {"data": "digits", "config": config, "methods": {method: entry}, "options": {"lr": 0.1}}


def keep(results, method, values):
    """Keep a value a seed of a method on the cell."""
    for seed, value in enumerate(values):
        add(results, Unit(CELL, method, (seed,)), made([value], method), {})


def test_a_small_matrix_from_run_to_table(tmp_path, capsys):
    assert main(["run", "--matrix", "ci", "--out", str(tmp_path), "--jobs", "1"]) == 0
    first = capsys.readouterr().out
    assert "6 units to run" in first
    assert "6 of 6 runs are there" in first
    assert main(["run", "--matrix", "ci", "--out", str(tmp_path), "--jobs", "1"]) == 0
    assert "0 units to run" in capsys.readouterr().out
    (cell,) = TopologySpec().matrix("ci").cells
    found = read_cell(tmp_path, cell)
    assert found["seeds"] == [100, 101]
    assert {m: len(e["mean_accuracy"]["values"]) for m, e in found["methods"].items()} == {
        "parse": 2,
        "local": 2,
        "oracle": 2,
    }


def test_seeds_that_come_later_are_put_in_their_order(tmp_path):
    add(tmp_path, Unit(CELL, "parse", (3, 4)), made([0.3, 0.4]), {})
    add(tmp_path, Unit(CELL, "parse", (0,)), made([0.1]), {})
    entry = read_cell(tmp_path, CELL)["methods"]["parse"]
    assert entry["seeds"] == [0, 3, 4]
    assert entry["mean_accuracy"]["values"] == [0.1, 0.3, 0.4]
    assert entry["groups"]["top"]["accuracy"]["values"] == [0.1, 0.3, 0.4]
    assert entry["seconds"] == 2.0


def test_what_is_done_is_not_run_again_and_what_is_missing_is_shown(tmp_path):
    recipe = TopologySpec()
    matrix = recipe.matrix("core")
    add(tmp_path, Unit(CELL, "parse", matrix.batches[0]), made([0.5, 0.7, 0.9]), {})
    left = missing_jobs(recipe, matrix, tmp_path)
    assert len(left) == len(list(matrix.units())) - 1
    assert left[0].unit == Unit(CELL, "parse-adaptive", matrix.batches[0])
    rows = accuracy_table(matrix, tmp_path).splitlines()
    row = next(line for line in rows if line.startswith("| digits | 5+5+5 | iid"))
    assert row.split(" | ")[3:5] == ["70.0 ± 49.7 (3)", "missing"]


def fill(results, cell, ahead=0.1):
    """Every method of the core matrix on a cell, PARSE ahead of all rivals in each seed."""
    for place, method in enumerate(TopologySpec().matrix("core").methods):
        own = 0.9 if method == "oracle" else 0.5 - 0.01 * place + ahead * (method == "parse")
        one = made([own + 0.001 * seed * place for seed in (0, 1, 2)], method)
        one["methods"][method]["payload_bytes_per_link"] = {"mean": 1000.0 * place, "max": 9000}
        add(results, Unit(cell, method, (0, 1, 2)), one, {})


def test_the_table_of_differences_names_the_best_rival_and_what_is_missing(tmp_path):
    matrix = TopologySpec().matrix("core")
    fill(tmp_path, CELL)
    add(tmp_path, Unit(matrix.cells[1], "parse", (0,)), made([0.5]), {})
    lines = difference_table(matrix, tmp_path).splitlines()
    row = next(line for line in lines if line.startswith("| digits | 5+5+5 | iid"))
    assert row.split(" | ")[3] == "local"
    assert next(line for line in lines if line.startswith("| digits | 5+5+5 | dir")).endswith(
        "| missing |"
    )
    assert "Over 1 cells parse wins 1, ties 0, loses 0" in lines[-1]


def test_families_of_cells_and_where_a_rival_is_ahead(tmp_path):
    matrix = TopologySpec().matrix("core")
    assert families_table(matrix, tmp_path) == "No cell is complete yet."
    means = {"oracle": 0.9, "local": 0.5, "parse": 0.8, "harmony": 0.82}
    for method in matrix.methods:
        mean = means.get(method, 0.6)
        keep(tmp_path, method, [mean, mean - 0.01, mean - 0.02])
    table = families_table(matrix, tmp_path)
    assert "| cells | 1 | 1 |" in table  # the cell has no multimodal group
    assert "mean rank of harmony, parse" in table
    assert "| wins / ties / losses after Holm's correction | 0 / 0 / 1 | 0 / 0 / 1 |" in table
    assert "| gap closed, mean: parse | 0.75 | 0.75 |" in table
    assert "A rival's mean is higher in 2 of 2 cells and groups: " in table
    assert "digits, top: harmony, -2.0 ± 0.0 (loss)" in table


def test_the_main_table_stands_between_the_marks_of_a_page(tmp_path):
    recipe, page = TopologySpec(), tmp_path / "README.md"
    page.write_text(f"before\n{MARK.format('begin')}\nold\n{MARK.format('end')}\nafter\n")
    with pytest.raises(ConfigError, match="no cell of the matrix is complete"):
        write_main_table(recipe, "seven", tmp_path, page)
    values = {"oracle": [0.9] * 3, "local": [0.5] * 3, "parse": [0.8, 0.8, 0.83]}
    for method in recipe.matrix("seven").methods:
        keep(tmp_path, method, values.get(method, [0.6] * 3))
    for _ in range(2):  # again and again with the same end
        text = write_main_table(recipe, "seven", tmp_path, page)
        assert page.read_text().startswith(f"before\n{MARK.format('begin')}\n\n| data |")
        assert page.read_text().endswith(f"{text}\n\n{MARK.format('end')}\nafter\n")
    assert "| 81.0 ± 4.3 |" in text
    assert "| +21.0 ± 4.3 | 0.78 |" in text
    assert "| digits | 5+5+5 | dirichlet:0.3 | missing |" in text
    assert "highest mean of all rivals in 1 of 1 cells, +21.0 points" in text
    assert "iid: parse 0.78, harmony 0.25, dsgd-hybrid 0.25." in text


def test_a_page_without_marks_is_refused_and_stays(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(ConfigError, match=r"page\.md has no <!-- main table: begin -->"):
        write_main_table(TopologySpec(), "seven", tmp_path, page)
    assert page.read_text() == "no marks"


def test_figures_are_drawn_of_what_is_complete_and_always_the_same(tmp_path, capsys):
    recipe = TopologySpec()
    cells = recipe.matrix("core").cells
    for cell in cells[:2]:
        fill(tmp_path, cell)
    add(tmp_path, Unit(cells[2], "parse", (0,)), made([0.5]), {})
    drawn = [draw_figures(recipe, "core", tmp_path, tmp_path / each) for each in ("a", "b")]
    names = ["core-differences.svg", "core-accuracy-and-payload.svg"]
    assert [path.name for path in drawn[0]] == names
    for first, second in zip(*drawn, strict=True):
        assert first.read_bytes() == second.read_bytes()
    told = capsys.readouterr().out
    assert "in 2 of 2 cells by the mean" in told
    assert "no method is both cheaper" in told


def test_every_configuration_of_the_recipe_is_a_run(tmp_path):
    recipe = TopologySpec()
    for name in recipe.values["matrices"]:
        matrix = recipe.matrix(name)
        for cell in matrix.cells:
            config = recipe.configuration(
                cell, "parse", training=matrix.training, evaluate_on=matrix.evaluate_on
            )
            assert str(config.agents).count("=") == recipe.values["mixes"][cell.mix].count("=")
            assert not any(sign.isupper() for sign in str(config.agents))


def test_a_matrix_that_is_like_another_has_what_it_does_not_say_itself():
    recipe = TopologySpec()
    core, skewed = recipe.matrix("core-agreed"), recipe.matrix("skewed")
    assert {cell.partition for cell in skewed.cells} == {"dirichlet:0.1"}
    assert skewed.chosen == core.chosen
    assert skewed.training == core.training
    assert skewed.seeds == core.seeds
    assert not {cell.place for cell in core.cells} & {cell.place for cell in skewed.cells}


def test_what_is_standardised_otherwise_is_another_cell():
    recipe = TopologySpec()
    own, agreed = (recipe.matrix(name).cells[0] for name in ("core", "core-agreed"))
    assert own.folder == own.place == "digits_5+5+5_iid"
    assert agreed.place == "agreed/digits_5+5+5_iid_agreed"
    config = recipe.configuration(agreed, "parse", training={}, evaluate_on="validation")
    assert config.data.standardise == "agreed"


def test_what_a_matrix_chose_goes_before_what_the_recipe_chose(tmp_path):
    recipe = TopologySpec()
    recipe.values["chosen"] = {"parse": {"lr": 0.5}, "local": {"lr": 0.25}}
    recipe.values["matrices"]["core-agreed"]["chosen"] = {"parse": {"lr": 0.125}}
    jobs = missing_jobs(recipe, recipe.matrix("core-agreed", ["digits"]), tmp_path)
    rates = {job.unit.method: job.config.training.lr for job in jobs}
    assert rates["parse"] == 0.125
    assert rates["local"] == 0.25
    assert {job.config.training.rounds for job in jobs} == {200}
    assert recipe.chosen("parse@dsgd-hybrid", {"parse": {"lr": 0.125}}) == {"lr": 0.125}


def test_trials_of_other_cells_do_not_count_towards_the_choice(tmp_path):
    recipe = TopologySpec()
    recipe.values["tuning"] |= {"sets": ["digits"], "trials": {"parse": [{"lr": 0.1}, {"lr": 0.2}]}}
    rows = [("digits_5+5+5_dirichlet-0.3_agreed", 0.1, 0.5), ("mfeat_5+5+5_iid", 0.2, 0.9)]
    lines = [
        json.dumps({"method": "parse", "trial": {"lr": lr}, "cell": cell, "accuracy": accuracy})
        for cell, lr, accuracy in rows
    ]
    (tmp_path / "tuning.jsonl").write_text("\n".join(lines), encoding="utf-8")
    table = choice_table(recipe, tmp_path)
    assert "| parse | lr 0.1 | **50.00** |" in table
    assert "| parse | lr 0.2 | missing |" in table


def test_every_method_has_the_same_number_of_trials():
    trials = TopologySpec().values["tuning"]["trials"]
    assert len({len(own) for own in trials.values()}) == 1


def test_results_are_a_folder_of_comparisons(tmp_path):
    add(tmp_path, Unit(CELL, "parse", (0,)), made([0.1]), {"date": "2026-01-01"})
    told = json.loads((tmp_path / CELL.folder / "comparison.json").read_text(encoding="utf-8"))
    assert told["data"] == "digits"
    assert told["methods"]["parse"]["date"] == "2026-01-01"


def test_unknown_names_are_refused(capsys):
    with pytest.raises(ConfigError, match=r"unknown set of seven: 'digit'.*digits"):
        TopologySpec().matrix("seven", ["digit"])
    assert main(["run", "--matrix", "cor"]) == 2
    assert "core" in capsys.readouterr().err
