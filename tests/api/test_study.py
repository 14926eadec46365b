"""Studies: what a comparison gives in Python is what the command line's gives."""

from __future__ import annotations

import json

import pytest

from parse_dfl import ConfigError, UnknownNameError, compare
from parse_dfl.api.study import Study
from parse_dfl.cli import main
from parse_dfl.methods import DSGD, Harmony, Local, Parse
from parse_dfl.report.statistics import paired_difference
from tests.api.test_federation import FLAGS, Ears


@pytest.fixture(scope="module")
def study(digits, quick):
    from parse_dfl import Federation

    federation = Federation(digits, {"top": 2, "bottom+top": 2}, samples_per_agent=16)
    methods = [Parse(), Harmony(tau=0.1, lr=0.004), "local"]
    return compare(federation, methods, seeds=range(2), **quick)


def test_it_writes_what_the_command_line_writes(study, tmp_path):
    study.save(tmp_path / "python")
    main(
        [
            "compare", "--methods", "parse,harmony,local", "--seeds", "2",
            "--agents", "top=2,bottom+top=2", "--samples-per-agent", "16",
            "--option", "harmony.tau=0.1", "--option", "harmony.lr=0.004", *FLAGS,
            "--out", str(tmp_path / "command"),
        ]
    )  # fmt: skip
    python, command = (
        json.loads((tmp_path / side / "comparison.json").read_text())
        for side in ("python", "command")
    )
    for one in (python, command):
        for method in one["methods"].values():
            del method["seconds"]
    assert python == command


def test_the_best_and_the_difference(study):
    means = {
        name: sum(result.accuracy for result in results) / 2
        for name, results in study.results.items()
    }
    assert study.methods == ["parse", "harmony", "local"]
    assert means[study.best] == max(means.values())
    difference = study.difference("parse", Local())
    values = [[one.accuracy for one in study.results[name]] for name in ("parse", "local")]
    expected = paired_difference(*values)
    assert difference.mean == pytest.approx(expected.mean)
    low, high = difference.interval
    assert (high - low) / 2 == pytest.approx(expected.half)
    assert str(difference).startswith("parse against local, paired over 2 seeds: ")
    with pytest.raises(UnknownNameError, match="did you mean 'harmony'"):
        study.difference("parse", "harmoni")


def test_one_seed_has_no_interval(federation, quick):
    study = compare(federation, ["parse", "local"], seeds=[5], **quick)
    assert study.difference("parse", "local").interval is None
    assert study.results["parse"][0].seed == 5


def test_it_shows_as_tables(study):
    assert str(study).startswith("Accuracy in percent on digits")
    assert "harmony" in study._repr_html_()
    assert "<strong>" in study._repr_html_()
    assert study.best in repr(study)


def test_curves_name_method_and_seed(study):
    curves = study.curves
    assert set(curves["method"]) == {"parse", "harmony", "local"}
    assert set(curves["seed"]) == {0, 1}
    assert len(curves) == 3 * 2 * 2 * 2  # methods, seeds, evaluations, groups


def test_every_seed_has_its_agents(study, digits):
    first, second = study.results["parse"]
    inputs = {"top": digits["top"][:50]}
    one, other = (each.agents["top-0"].predict_probability(inputs) for each in (first, second))
    assert (one != other).any()


def test_save_report_and_load(study, tmp_path):
    study.save(tmp_path / "study")
    loaded = Study.load(tmp_path / "study")
    assert loaded.report() == tmp_path / "study" / "report.html"
    assert loaded.best == study.best
    study.results["local"][1].save(tmp_path / "one")
    assert (tmp_path / "one" / "summary.json").exists()
    assert (study.folder / "local" / "seed-1").exists()


def test_a_method_of_the_users_own_among_them(federation, quick, digits):
    from dataclasses import replace

    from parse_dfl.methods.registry import build_method

    mine = replace(build_method("parse"), name="mine")
    ears = Ears()
    study = compare(federation, [mine, "parse"], seeds=[0], callbacks=[ears], **quick)
    mine_result, parse = study.results["mine"][0], study.results["parse"][0]
    assert mine_result.accuracy == parse.accuracy
    assert mine_result.agents["top-0"].predict({"top": digits["top"][:5]}).shape == (5,)
    assert [heard for heard in ears.heard if heard == "end"] == ["end", "end"]
    assert mine_result.summary.config["method"] == "own:mine"
    assert mine_result.method == "mine"


def test_settings_of_one_method_are_told_apart(federation, quick):
    methods = [Parse(), Parse(contrastive_weight=0.3), Parse(contrastive_weight=0.3, lr=0.01)]
    study = compare(federation, methods, seeds=[0], **quick)
    names = ["parse", "parse(contrastive_weight=0.3)", "parse(contrastive_weight=0.3,lr=0.01)"]
    assert study.methods == names
    (weighted,) = study.results[names[1]]
    alone = federation.fit(methods[1], **quick)
    assert weighted.accuracy == alone.accuracy
    assert study.difference(methods[1], "parse").one == names[1]
    assert len(weighted.agents["top-0"].predict({"top": federation.data["top"][:3]})) == 3
    assert weighted.summary.config["method"] == names[1]


@pytest.mark.parametrize(
    ("methods", "settings", "words"),
    [
        ([], {}, "no method to compare"),
        (3, {}, "must be a list"),
        (["parse", Parse()], {}, "two methods are called 'parse'"),
        (["prase"], {}, "did you mean 'parse'"),
        (["parse"], {"seeds": []}, "seeds are empty"),
        (["parse"], {"seeds": [0, 0]}, "name 0 twice"),
        (["parse"], {"seeds": [0.5]}, "whole numbers from 0 up"),
        (["parse"], {"seeds": 3}, r"such as range\(3\)"),
        (["parse"], {"lr": -1}, "lr must be above 0"),
        (["parse"], {"engine": "peers"}, "side by side"),
        ([DSGD("hybrid")], {"tau": 0.1}, "unknown setting 'tau'"),
    ],
)
def test_what_cannot_be_compared_is_refused(federation, methods, settings, words):
    with pytest.raises(ConfigError, match=words):
        compare(federation, methods, **settings)


def test_the_federation_comes_first(digits):
    with pytest.raises(ConfigError, match="must be a Federation"):
        compare(digits, ["parse"])
