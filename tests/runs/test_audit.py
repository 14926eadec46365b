from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from parse_dfl.config import AuditConfig, RunConfig, with_values
from parse_dfl.errors import CheckpointError, ConfigError, DataError
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.parse import ParseNetwork
from parse_dfl.report.figures.measurements import audit_bits
from parse_dfl.report.load import read_run
from parse_dfl.report.page import tables_of
from parse_dfl.report.tables.measurements import read_audit
from parse_dfl.runs.audit import audit_run
from parse_dfl.runs.run import run
from parse_dfl.runs.shared_setup import Overrides

QUICK = AuditConfig(agents_per_group=1, probe_steps=30)
SETTINGS = {
    "agents": "a=2,b=1,a+b=2",
    "data.data": "synthetic:samples=600,noise=0.1",
    "data.samples_per_agent": "20",
    "network.latent": 9,
    "network.hidden": 8,
    "training.rounds": 2,
    "eval_every": 2,
}


def config(**values):
    return with_values(RunConfig(), {**SETTINGS, **values})


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A run of a second, and its audit."""
    folder = tmp_path_factory.mktemp("audited") / "run"
    run(config(), out=folder)
    return folder, audit_run(folder, QUICK)


def test_the_audit_is_written_and_told(audited):
    folder, found = audited
    assert json.loads((folder / "audit.json").read_text()) == json.loads(json.dumps(found))
    assert (found["method"], found["evaluated_on"]) == ("parse", "test")
    assert set(found["groups"]) == {"a", "b", "a+b"}
    assert [len(group["agents"]) for group in found["groups"].values()] == [1, 1, 1]
    assert list(found["chance"]) == [
        "label", "redundant", "unique_a", "unique_b", "synergy", "key_a", "key_b"
    ]  # fmt: skip


def test_every_slice_pair_and_the_data_are_read(audited):
    _, found = audited
    assert set(found["raw"]["reads"]) == {"a", "b", "a,b"}
    assert set(found["groups"]["a"]["reads"]) == {"redundant.a", "unique.a"}
    both = found["groups"]["a+b"]
    assert {"redundant.a,b", "synergistic.a+b", "synergistic.a,b"} < set(both["reads"])
    assert set(both["bits"]) == {"redundant", "unique", "synergistic"}
    assert set(both["predictability"]["unique"]) == {"a>b", "b>a"}
    assert "redundant.a unique.a" in both["dependence"]
    assert both["noiseless"] is None
    assert [each["modalities"] for each in found["across"]] == [["a", "b"]]


def test_a_bit_that_a_modality_lacks_is_not_read_from_it(audited):
    _, found = audited
    raw = found["raw"]["reads"]
    standard_errors = 4 * np.sqrt(0.25 / found["samples"]["report"])
    assert raw["a"]["redundant"] > 0.9
    assert raw["a"]["unique_b"] == pytest.approx(0.5, abs=standard_errors)


def test_the_report_shows_the_audit(audited):
    folder, _ = audited
    record = read_run(folder)
    titles = [table.title for table in tables_of(record)[0]]
    assert "Bits about the label" in titles
    assert any(title.startswith("What probes read from slices") for title in titles)
    picture = audit_bits(record)
    assert picture is not None
    assert "of their own kind" in picture.caption


def test_a_folder_without_an_audit_has_none(tmp_path):
    assert read_audit(read_run(tmp_path)) is None


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), CheckpointError, "is no run's folder"),
        (lambda folder: shutil.rmtree(folder / "agents"), CheckpointError, "no agents to audit"),
    ],
)
def test_what_is_no_finished_run_is_refused(audited, tmp_path, spoil, error, message):
    folder = shutil.copytree(audited[0], tmp_path / "copy")
    spoil(folder)
    with pytest.raises(error, match=message):
        audit_run(folder, QUICK)


def test_other_data_than_the_agents_learnt_are_refused(audited, small_set):
    with pytest.raises(DataError, match="was trained on other data than 'small'"):
        audit_run(audited[0], QUICK, overrides=Overrides(data=small_set))


def test_methods_without_slices_are_refused_by_name(tmp_path):
    run(config(method="dsgd-task"), out=tmp_path / "run")
    with pytest.raises(
        ConfigError, match=r"no redundant.*methods that have: parse, parse@RULE, parse-adaptive"
    ):
        audit_run(tmp_path / "run", QUICK)


@pytest.mark.parametrize("setting", ["agents_per_group", "probe_steps", "seed"])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match=f"{setting} of an audit must be at least"):
        AuditConfig(**{setting: -1})


class Drowned(ParseNetwork):
    """PARSE whose redundant slices are read through so much noise that nothing is left."""

    def forward(self, inputs):
        found = super().forward(inputs)
        redundant = {n: v for n, v in found.slices.items() if n.startswith("redundant")}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            noisy = {
                name: value + 1e3 * torch.randn_like(value) for name, value in redundant.items()
            }
        return replace(
            found, slices={**found.slices, **noisy}, means=redundant, mean_logits=found.logits
        )


def test_noise_is_noise_for_the_probe_and_the_noiseless_reading_stands_beside_it(tmp_path):
    method = replace(build_method("parse"), name="drowned", network=Drowned)
    overrides = Overrides(method=method)
    run(config(), out=tmp_path / "run", overrides=overrides)
    found = audit_run(tmp_path / "run", QUICK, overrides=overrides)
    group = found["groups"]["a+b"]
    bit = group["reads"]["redundant.a"]["redundant"]
    assert bit["accuracy"] < 0.7
    assert bit["noiseless"] > 0.9
    assert group["reads"]["unique.a"]["redundant"]["noiseless"] is None
    assert group["purity"]["redundant.a"]["noiseless"]["own"] == bit["noiseless"]
    bits = [
        each["bits"]["redundant"]["a,b"]["bits"]["total"] for each in (group, group["noiseless"])
    ]
    assert bits[0] < 0.1 < bits[1]
    assert group["accuracy"]["noiseless"] == group["accuracy"]["joint"]
    tables, _ = tables_of(read_run(tmp_path / "run"))
    named = [row[0].text for table in tables for row in table.rows]
    assert named.count("  noiseless") > 4


@pytest.fixture
def small_set():
    from tests.small import small_data

    return small_data(samples=600)
