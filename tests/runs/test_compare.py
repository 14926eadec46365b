from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from parse_dfl.config import RunConfig, TrainingConfig
from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.methods.registry import build_method
from parse_dfl.runs import recorder, shared_setup
from parse_dfl.runs.compare import compare
from parse_dfl.runs.folder import read_json
from parse_dfl.runs.run import run
from parse_dfl.runs.shared_setup import Overrides

METHODS = ["parse", "local"]
SEEDS = [4, 0]
RECORD = {"groups", "mean_accuracy", "payload_bytes_per_link", "seconds"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tests.runs.conftest import SMALL, with_values

    out = tmp_path_factory.mktemp("compare") / "x"
    compare(with_values(RunConfig(), SMALL), METHODS, SEEDS, out=out)
    return out


def scores(record):
    return {name: method["mean_accuracy"]["values"] for name, method in record["methods"].items()}


def test_the_record_holds_what_the_contract_promises(folder):
    record = read_json(folder / "comparison.json")
    assert record.keys() >= {"data", "config", "methods"}
    assert list(record["methods"]) == METHODS
    for method in record["methods"].values():
        assert method.keys() >= RECORD
        assert set(method["groups"]) == {"top", "bottom", "bottom+top"}
        for group in method["groups"].values():
            assert group["accuracy"].keys() == {"mean", "ci95", "values"}
        assert method["payload_bytes_per_link"].keys() == {"mean", "max"}
    assert record["methods"]["local"]["payload_bytes_per_link"] == {"mean": 0, "max": 0}


def test_values_are_in_the_order_of_the_seeds(folder):
    record = read_json(folder / "comparison.json")
    for name in METHODS:
        runs = [read_json(folder / name / f"seed-{seed}" / "summary.json") for seed in SEEDS]
        assert [summary["seed"] for summary in runs] == SEEDS
        assert record["methods"][name]["mean_accuracy"]["values"] == [
            summary["mean_accuracy"] for summary in runs
        ]


def test_a_seed_side_by_side_scores_what_it_scores_alone(folder, small):
    record = read_json(folder / "comparison.json")
    alone = run(small(seed=4))["mean_accuracy"]
    assert record["methods"]["parse"]["mean_accuracy"]["values"][0] == pytest.approx(
        alone, abs=0.01
    )


def test_finished_methods_are_not_run_again(folder, small, tmp_path):
    out = tmp_path / "x"
    shutil.copytree(folder, out)
    heard = []

    class Ear:
        def start(self, label, rounds, first_round):
            heard.append(label)

        def round(self, done, accuracy):
            pass

        def finish(self):
            pass

    record = compare(small(), [*METHODS, "dsgd-task"], SEEDS, out=out, resume=True, listener=Ear())
    assert heard == ["dsgd-task"]
    assert scores(record).items() >= scores(read_json(folder / "comparison.json")).items()
    more = compare(small(), METHODS, [*SEEDS, 7], out=out, resume=True, listener=Ear())
    assert heard == ["dsgd-task", "parse", "local"]
    assert scores(more)["parse"][:2] == scores(record)["parse"]


def test_a_stopped_comparison_ends_with_the_same_numbers(folder, small, stop_after, tmp_path):
    out = tmp_path / "x"
    with pytest.raises(KeyboardInterrupt):
        compare(small(), METHODS, SEEDS, out=out, listener=stop_after(3))
    record = compare(small(), METHODS, SEEDS, out=out, resume=True)
    assert scores(record) == scores(read_json(folder / "comparison.json"))


def test_a_kill_between_the_summaries_of_two_seeds_is_survived(
    folder, small, killed, tmp_path, monkeypatch
):
    written = recorder.write_json

    def write_one(path, content):
        if path.parent.name == f"seed-{SEEDS[1]}":
            raise killed
        written(path, content)

    out = tmp_path / "x"
    monkeypatch.setattr(recorder, "write_json", write_one)
    with pytest.raises(killed):
        compare(small(), ["parse"], SEEDS, out=out)
    monkeypatch.undo()
    assert (out / "parse" / f"seed-{SEEDS[0]}" / "summary.json").exists()
    record = compare(small(), ["parse"], [*SEEDS, 7], out=out, resume=True)
    expected = scores(read_json(folder / "comparison.json"))["parse"]
    assert scores(record)["parse"][:2] == expected


def test_other_settings_are_refused(folder, small):
    with pytest.raises(CheckpointError, match="was started with other settings: "):
        compare(small(**{"training.lr": 0.5}), METHODS, SEEDS, out=folder, resume=True)
    assert read_json(folder / "config.json")["training"]["lr"] is None


def test_each_method_may_have_its_own_rate(small):
    config = small(method_options={"local.lr": 0.5, "parse.head_weight": 0.1})
    parse, local = (config.for_method(name) for name in METHODS)
    assert (local.method, local.training.lr) == ("local", 0.5)
    assert parse.training.lr is None
    record = compare(config, METHODS, [0])
    assert [record["methods"][name]["lr"] for name in METHODS] == [build_method("parse").lr, 0.5]
    with pytest.raises(ConfigError, match=r"option 'local\.lr': .* must be a number, not 'fast'"):
        small(method_options={"local.lr": "fast"})


def test_bad_settings_of_any_method_are_found_before_the_first_runs(small, tmp_path):
    with pytest.raises(ConfigError, match="unknown method 'locl'"):
        compare(small(), ["parse", "locl"], [0], out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_oracle_can_be_compared(small):
    record = compare(small(), ["oracle"], [0, 1])
    assert len(scores(record)["oracle"]) == 2
    assert json.dumps(record)


ONE_ROUND = RunConfig(agents="top=2", training=TrainingConfig(rounds=1))
MINE = replace(build_method("local"), name="mine")


def test_it_stands_among_the_others_under_its_own_name(tmp_path):
    result = compare(ONE_ROUND, ["dsgd-task", MINE, "local"], [0], out=tmp_path / "x")["methods"]
    assert list(result) == ["dsgd-task", "mine", "local"]
    assert result["mine"]["groups"] == result["local"]["groups"]
    assert result["mine"]["groups"] != result["dsgd-task"]["groups"]
    assert (tmp_path / "x/mine/seed-0/agents/top-0.safetensors").exists()


def test_its_learning_rate_can_be_set_like_any_other(tmp_path):
    config = replace(ONE_ROUND, method="own:mine", method_options={"own:mine.lr": 0.5})
    result = compare(config, [MINE, "local"], [0])["methods"]
    assert result["mine"]["lr"] == 0.5
    assert result["local"]["lr"] == MINE.lr


def test_it_cannot_silently_take_the_place_of_all_methods():
    with pytest.raises(ConfigError, match=r"'mine' would take the place of every method"):
        compare(ONE_ROUND, ["parse", "local"], [0], overrides=Overrides(method=MINE))


def test_data_are_split_partitioned_and_loaded_once_for_all_methods_and_seeds(small, monkeypatch):
    calls = Counter()

    def counted(name):
        function = getattr(shared_setup, name)

        def count(*args, **kwargs):
            calls[name] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(shared_setup, name, count)

    for name in ("load", "split", "partition", "TensorData"):
        counted(name)
    compare(small(**{"training.rounds": 1}), [*METHODS, "dsgd-task"], [0, 1])
    assert calls == {"load": 1, "split": 1, "partition": 2, "TensorData": 1}
