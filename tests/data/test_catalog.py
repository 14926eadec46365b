import os
from pathlib import Path

import numpy as np
import pytest

from parse_dfl.data.catalog import DATA_VARIABLE, available, load
from parse_dfl.data.dataset import describe
from parse_dfl.data.splits import split
from parse_dfl.errors import DataError

real_data = pytest.mark.skipif(
    DATA_VARIABLE not in os.environ, reason=f"{DATA_VARIABLE} is not set"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    arrays = {"acc": np.ones((6, 8, 3)), "age": np.arange(6), "label": np.arange(6) % 2}
    (tmp_path / "steps").mkdir()
    np.savez(tmp_path / "steps" / "data.npz", **arrays)
    (tmp_path / "steps" / "README.md").write_text("# Steps of six people\nmore\n")
    np.savez(tmp_path / "jumps.npz", **arrays)
    return tmp_path


def test_sets_of_a_folder_by_name_and_by_path(folder, monkeypatch):
    assert load("steps", data_dir=folder).name == "steps"
    assert load(folder / "jumps.npz").name == "jumps"
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    assert load("jumps").samples == 6


def test_available(folder):
    assert [entry.name for entry in available()] == ["digits", "synthetic"]
    entries = {entry.name: entry for entry in available(folder)}
    assert list(entries) == ["digits", "synthetic", "jumps", "steps"]
    assert entries["steps"].description == "Steps of six people"
    assert entries["jumps"].where == str(folder / "jumps.npz")


def test_built_in_sets_take_options(folder):
    assert load("digits:4").shape("part4") == (16,)
    assert load("synthetic:samples=64,dims=3").shape("b") == (3,)


def test_what_the_caller_asks_of_a_set(folder):
    data = load(
        "steps", data_dir=folder, kinds={"acc": "vector"}, subject_key="age", modalities=["acc"]
    )
    assert data.shape("acc") == (24,)
    assert data.subject.tolist() == list(range(6))
    assert load("steps", data_dir=folder, modalities=["age"]).shape("age") == (1,)


def test_unknown_name_offers_the_nearest_and_says_where_it_looked(folder):
    with pytest.raises(DataError, match=rf"'step'; did you mean 'steps'.*looked in '{folder}'"):
        load("step", data_dir=folder)
    with pytest.raises(DataError, match=f"no data folder is set .*{DATA_VARIABLE}"):
        load("motionsense")


def test_known_set_that_is_not_there(folder):
    with pytest.raises(DataError, match="unknown data set 'utd_mhad'"):
        load("utd_mhad", data_dir=folder)


def test_modality_that_the_data_lack(folder):
    with pytest.raises(DataError, match="no modality 'gyro'"):
        load("steps", data_dir=folder, modalities=["acc", "gyro"])


def test_missing_folder_and_file(folder):
    with pytest.raises(DataError, match=r"data folder .*none' does not exist"):
        load("steps", data_dir=folder / "none")
    with pytest.raises(DataError, match=r"no file .*none\.npz"):
        load(folder / "none.npz")


REAL = {
    "motionsense": ({"acc": "series", "gyro": "series"}, 10854, 6, 24),
    "avdigits": ({"audio": "series", "image": "image"}, 10000, 10, 6),
    "avdigits-hard": ({"audio": "series", "image": "vector"}, 10000, 10, 6),
    "cremad_votes": (dict.fromkeys(["voice", "face", "audiovisual"], "vector"), 7442, 6, 91),
    "leaves100": (dict.fromkeys(["margin", "shape", "texture"], "vector"), 1600, 100, None),
    "mfeat": (dict.fromkeys(["fac", "fou", "kar", "mor", "pix", "zer"], "vector"), 2000, 10, None),
    "utd_mhad": ({"depth": "video", "inertial": "series", "skeleton": "series"}, 861, 27, 8),
}


@real_data
@pytest.mark.parametrize("name", REAL)
def test_real_sets_load_and_split(name):
    data = load(name, data_dir=Path(os.environ[DATA_VARIABLE]))
    kinds, samples, classes, subjects = REAL[name]
    parts = split(data)
    text = describe(data, parts)
    assert {modality: each["kind"] for modality, each in text["modalities"].items()} == kinds
    assert (text["samples"], text["classes"], text["subjects"]) == (samples, classes, subjects)
    assert sum(text["split"].values()) == samples
