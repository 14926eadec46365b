"""Federations: checked when they are built, and the numbers of the command line when they fit."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import networkx as nx
import numpy as np
import pytest
import torch
from torch import nn

from parse_dfl import (
    Attacker,
    BySubject,
    Callback,
    ConfigError,
    DataError,
    Dirichlet,
    Federation,
    ModalityChange,
    OutputError,
    OverlayError,
    ParseDflError,
    Regular,
    Ring,
    Topology,
)
from parse_dfl.cli import main
from parse_dfl.config import RunConfig, from_dict
from parse_dfl.methods import DSGD, Clipping, Harmony, Parse

FLAGS = ["--latent=9", "--hidden=8", "--batch-size=8", "--eval-every=2", "--rounds=4", "--quiet"]


def records(folder):
    """The lines and numbers that do not depend on the clock."""
    summary = json.loads((folder / "summary.json").read_text())
    for cost in ("wall_seconds", "seconds_per_round", "peak_memory_bytes"):
        del summary[cost]
    return summary, (folder / "metrics.jsonl").read_text()


def test_a_fit_writes_what_the_command_line_writes(digits, quick, tmp_path):
    federation = Federation(
        digits,
        {"top": 3, "top+bottom": 3},
        partition=Dirichlet(0.3),
        topology=Regular(degree=2),
        samples_per_agent=(12, 16),
        attackers=[Attacker(agent="top-0", attack="scale", strength=3)],
        changes=[ModalityChange(round=2, agent="top-1", gains="bottom")],
        absence=0.1,
        test="fraction:0.3",
    )
    fitted = federation.fit(
        Parse(contrastive_weight=0.3, lr=0.02), seed=3, robust=Clipping(attackers=1), **quick
    )
    fitted.save(tmp_path / "python")
    main(
        [
            "run", "--agents", "top=3,bottom+top=3", "--partition", "dirichlet:0.3",
            "--topology", "regular:2", "--samples-per-agent", "12..16",
            "--attacker", "top-0:scale:3", "--event", "2:top-1:+bottom", "--absence", "0.1",
            "--test", "fraction:0.3", "--option", "contrastive_weight=0.3", "--lr", "0.02",
            "--seed", "3", "--robust", "clipping:attackers=1,radius=0.0", *FLAGS,
            "--out", str(tmp_path / "command"),
        ]
    )  # fmt: skip
    python, command = records(tmp_path / "python"), records(tmp_path / "command")
    assert python[1] == command[1]
    assert python[0]["mean_accuracy"] == command[0]["mean_accuracy"]
    assert python[0] == command[0]
    names = {path.name for path in (tmp_path / "command" / "agents").iterdir()}
    assert {path.name for path in (tmp_path / "python" / "agents").iterdir()} == names


def test_text_and_objects_say_the_same(digits):
    text = Federation(digits, "bottom=1,top=2", partition="dirichlet:0.3", topology="regular:4")
    objects = Federation(
        digits, {"bottom": 1, "top": 2}, partition=Dirichlet(0.3), topology=Regular(degree=4)
    )
    assert text.config == objects.config
    assert Federation("digits", "top=2").config == Federation(digits, {"top": 2}).config


def test_without_arguments_it_is_what_the_command_line_has(digits):
    assert Federation(digits).config == RunConfig()
    assert len(Federation(digits).agents) == 15


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"agents": {"tpo": 2}}, "unknown modality 'tpo'; did you mean 'top'"),
        ({"agents": {"top": 0}}, "use 1 or more"),
        ({"agents": {"top": 2.5}}, "must be a whole number, not 2.5"),
        ({"agents": {"top": True}}, "must be a whole number, not True"),
        (
            {"agents": 5},
            r"must be an object such as \{'acc': 5, 'acc\+gyro': 2\} or its text, not 5",
        ),
        ({"agents": {}}, "must be an object such as"),
        ({"partition": "dirichlt:0.3"}, "did you mean 'dirichlet"),
        ({"partition": 0.3}, r"such as Dirichlet\(0.3\)"),
        ({"partition": "dirichlet:-1"}, "concentration above 0"),
        ({"topology": "rign"}, "did you mean 'ring'"),
        ({"topology": Ring}, r"such as Regular\(degree=4\)"),
        ({"samples_per_agent": 3.4}, r"such as 64, \(16, 128\) or"),
        ({"absence": 2}, "below 1"),
        ({"absence": "often"}, "must be a finite number, not 'often'"),
        ({"by_samples": "yes"}, "must be true or false"),
        ({"standardise": "owm"}, "did you mean 'own'"),
        ({"test": "fraction:2"}, "between 0 and 1"),
        ({"evaluate_on": "tset"}, "did you mean 'test'"),
        ({"attackers": Attacker(agent="tpo-0", attack="scale")}, "did you mean 'top-0'"),
        ({"attackers": [3]}, r"such as Attacker\(agent='acc-0'"),
        ({"changes": [ModalityChange(round=3, agent="top-0", gains="top")]}, "already has"),
        ({"encoders": {"top": "mpl"}}, "unknown encoder 'mpl'; did you mean 'mlp'"),
        ({"encoders": {"tpo": "mlp"}}, "did you mean 'top'"),
        ({"encoders": {"bottom+top:side": "mlp"}}, "have no modality 'side'"),
        ({"encoders": {"top": 3}}, "must be a name or a function"),
    ],
)
def test_what_cannot_be_used_is_refused_when_it_is_built(digits, arguments, words):
    with pytest.raises(ConfigError, match=words):
        Federation(digits, **{"agents": {"top": 2, "bottom+top": 2}, **arguments})


def test_data_that_do_not_fit_are_refused_when_it_is_built(digits):
    with pytest.raises(DataError, match="no subjects"):
        Federation(digits, partition=BySubject())
    with pytest.raises(DataError, match="ask for"):
        Federation(digits, {"top": 50}, samples_per_agent=100)
    with pytest.raises(DataError, match="did you mean 'digits'"):
        Federation("digts")
    with pytest.raises(ConfigError, match="make one by Dataset"):
        Federation(np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": -1}, "lr must be above 0, not -1"),
        ({"lr": np.float32(-1)}, "lr must be above 0"),
        ({"lr": "fast"}, "must be a finite number, not 'fast'"),
        ({"lr": float("nan")}, "finite"),
        ({"lerning_rate": 1}, "unknown setting 'lerning_rate'"),
        ({"batchsize": 1}, "did you mean 'batch_size'"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"rounds": 2.5}, "whole number"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"topology": "ring"}, r"give it to Federation\("),
        ({"optimizer": "adma"}, "did you mean 'adam'"),
        ({"robust": "cliping"}, "did you mean 'clipping'"),
        ({"robust": 3}, r"such as Clipping\(\)"),
        ({"record": "conflct"}, "did you mean 'conflict'"),
        ({"dropout": True}, "must be a finite number, not True"),
        ({"split": (1, 2)}, "a list of 3"),
        ({"method": "prase"}, "did you mean 'parse'"),
        ({"method": Parse}, r"such as Parse\(\.\.\.\)"),
        ({"method": 3}, "3 is no method"),
        ({"method": "harmony(tua=0.1)"}, "has no option 'tua'; did you mean 'tau'"),
        ({"callbacks": [3]}, "3 is no Callback"),
        ({"callbacks": 3}, "must be a list of Callback"),
        ({"out": 3}, "must be the path of a folder"),
        ({"resume": True}, "give it by out="),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_training(federation, settings, words):
    with pytest.raises(ConfigError, match=words):
        federation.fit(**settings)


def test_numbers_of_numpy_are_numbers(federation, quick):
    config = federation.configured(np.int64(3), np.int64(1), {"lr": np.float64(0.1)})
    assert (config.training.rounds, config.seed, config.training.lr) == (3, 1, 0.1)
    assert from_dict(json.loads(json.dumps({"seed": config.seed}))).seed == 1


def test_a_graph_of_the_users_own(digits, quick):
    graph = nx.path_graph(["top-0", "top-1", "top-2"])
    graph.name = "chain"
    result = Federation(digits, {"top": 3}, topology=graph, samples_per_agent=16).fit(**quick)
    assert {frozenset(edge) for edge in result.summary.overlays[0].edges} == {
        frozenset(("top-0", "top-1")),
        frozenset(("top-1", "top-2")),
    }
    assert result.summary.config["overlay"]["topology"] == "own:networkx graph 'chain'"
    with pytest.raises(OverlayError, match="no edge for top-3"):
        Federation(digits, {"top": 4}, topology=graph)


def test_a_topology_of_the_users_own(digits, quick):
    def star(draw):
        return np.array([(0, index) for index in range(1, draw.size)])

    own = Topology(name="star", build=star)
    result = Federation(digits, {"top": 4}, topology=own, samples_per_agent=16).fit(**quick)
    (backbone, *_) = result.summary.overlays
    degrees = np.unique(np.array(backbone.edges), return_counts=True)[1]
    assert sorted(degrees) == [1, 1, 1, 3]


def test_an_encoder_of_the_users_own_is_in_its_agents(digits, quick):
    def two_layers(sample, hidden, dropout):
        wide = nn.Linear(sample.shape[0], 2 * hidden)
        return nn.Sequential(wide, nn.ReLU(), nn.Linear(2 * hidden, hidden))

    plain = Federation(digits, {"top": 2}, samples_per_agent=16).fit(**quick)
    federation = Federation(digits, {"top": 2}, encoders={"top": two_layers}, samples_per_agent=16)
    result = federation.fit(**quick)
    parameters = [each.summary.groups["top"].parameters for each in (plain, result)]
    assert parameters[0] != parameters[1]
    assert result.agents["top-1"].predict({"top": digits["top"][:3]}).shape == (3,)
    with pytest.raises(ConfigError, match="two encoders are called 'two_layers'"):
        Federation(
            digits,
            {"top": 2},
            encoders={"top": two_layers, "bottom": (lambda build: build)(_named("two_layers"))},
        )


def _named(name):
    def build(sample, hidden, dropout):
        return nn.Identity()

    build.__name__ = name
    return build


def test_methods_by_name_and_by_object_give_the_same_numbers(federation, quick):
    by_name = federation.fit("dsgd-hybrid", **quick)
    assert federation.fit(DSGD("hybrid"), **quick).accuracy == by_name.accuracy
    assert federation.fit(DSGD("hybrid", lr=0.3), **quick).accuracy != by_name.accuracy
    lower = federation.fit(Harmony(tau=0.0), **quick)
    assert lower.summary.config["method_options"] == {"tau": 0.0}


class Ears(Callback):
    def __init__(self):
        self.heard = []

    def on_start(self, method, rounds, first_round):
        self.heard.append((method, rounds, first_round))

    def on_round(self, round):
        self.heard.append(round)

    def on_evaluation(self, round, scores):
        self.heard.append((round, *sorted(scores)))

    def on_end(self):
        self.heard.append("end")


def test_callbacks_hear_rounds_and_scores(federation, quick):
    ears = Ears()
    federation.fit("local", callbacks=[ears], **quick)
    groups = ("bottom", "bottom+top", "top")
    assert ears.heard == [("local", 4, 0), 1, 2, (2, *groups), 3, 4, (4, *groups), "end"]


def test_notes_go_to_callbacks_and_to_the_log(federation, quick, caplog):
    class Notes(Callback):
        texts: list[str] = []  # noqa: RUF012

        def on_note(self, text):
            self.texts.append(text)

    federation.fit("local", callbacks=[Notes()], lr=1e30, optimizer="sgd", **quick)
    assert any("have diverged by round" in text for text in Notes.texts)
    assert [record.getMessage() for record in caplog.records] == Notes.texts
    assert {record.name for record in caplog.records} == {"parse_dfl.runs"}


def test_early_stopping_returns_the_parameters_of_the_round_that_did_best(digits, quick):
    federation = Federation(digits, {"top": 2}, samples_per_agent=16, evaluate_on="validation")
    too_fast = {"lr": 1.5, "optimizer": "sgd", "schedule": "constant"}  # learns, then diverges
    settings = {**quick, **too_fast, "rounds": 8, "eval_every": 1, "eval_samples": 9999}
    last = federation.fit("local", **settings)
    by_round = last.curves.groupby("round")["accuracy"].mean()
    best = int(by_round.idxmax())
    assert best < settings["rounds"]
    assert by_round[best] > last.accuracy

    kept = federation.fit("local", keep_best=True, **settings)
    stopped = federation.fit("local", **{**settings, "rounds": best})
    assert kept.accuracy == pytest.approx(by_round[best])
    samples = {"top": digits["top"][:200]}
    for name, agent in kept.agents.items():
        assert np.array_equal(agent.predict(samples), stopped.agents[name].predict(samples))


class Unplugged(Exception):
    """Nothing of the package catches this."""


class Unplug(Callback):
    def on_round(self, round):
        if round == 3:
            raise Unplugged


def test_a_stopped_fit_goes_on_with_the_same_numbers(federation, quick, tmp_path):
    whole = federation.fit(**quick)
    with pytest.raises(Unplugged):
        federation.fit(out=tmp_path / "run", callbacks=[Unplug()], checkpoint_every=2, **quick)
    resumed = federation.fit(out=tmp_path / "run", resume=True, checkpoint_every=2, **quick)
    assert resumed.accuracy == whole.accuracy
    assert (tmp_path / "run" / "summary.json").exists()
    with pytest.raises(OutputError, match="give overwrite=True"):
        federation.fit(out=tmp_path / "run", **quick)
    assert federation.fit(out=tmp_path / "run", overwrite=True, **quick).accuracy == whole.accuracy


def test_a_fit_that_fails_leaves_no_temporary_folder(federation, quick, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(Unplugged):
        federation.fit(callbacks=[Unplug()], **quick)
    assert not list(tmp_path.iterdir())


def test_several_processes_are_sent_to_the_command_line(federation, monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    with pytest.raises(ParseDflError, match="torchrun -m parse_dfl run"):
        federation.fit()


def test_a_fit_computes_on_the_threads_asked_for_and_restores_them(federation, quick):
    before = torch.get_num_threads()
    seen = []

    class Look(Callback):
        def on_round(self, round):
            seen.append(torch.get_num_threads())

    result = federation.fit("local", **quick, threads=2, callbacks=[Look()])
    assert set(seen) == {2} == {result.summary.threads}
    assert torch.get_num_threads() == before


def test_counts_and_rounds_of_numpy_are_numbers(digits):
    change = ModalityChange(round=np.int64(3), agent="top-0", gains="bottom")
    federation = Federation(digits, {"top": np.int64(2), "bottom": 1}, changes=[change])
    assert str(federation.config.events[0]) == "3:top-0:+bottom"
    assert str(federation.mix) == "top=2,bottom=1"


@pytest.mark.parametrize(
    ("encoders", "words"),
    [
        (["mlp2"], "encoders must be a mapping"),
        ({3: "mlp2"}, "modality must be text"),
        ({"top": nn.Linear(32, 8)}, "a function that builds a module"),
    ],
)
def test_encoders_that_are_none_are_refused(digits, encoders, words):
    with pytest.raises(ConfigError, match=words):
        Federation(digits, {"top": 2}, encoders=encoders)


def test_overwrite_is_true_or_false(federation, quick, tmp_path):
    with pytest.raises(ConfigError, match="overwrite must be True or False"):
        federation.fit("local", **quick, out=tmp_path / "run", overwrite="no")


def test_fits_in_two_threads_give_the_numbers_of_one(federation, quick):
    alone = federation.fit("parse", **quick)
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(federation.fit, "parse", **quick) for _ in range(2)]
        assert [fit.result().accuracy for fit in started] == [alone.accuracy] * 2
