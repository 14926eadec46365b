"""Data sets from arrays, tables, torch and by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from parse_dfl import DataError, Dataset, Federation, UnknownNameError, load_dataset

RNG = np.random.default_rng(0)
LABEL = np.arange(60) % 3
ACC = RNG.normal(LABEL[:, None], 1.0, (60, 4)).astype(np.float32)
MIC = RNG.normal(size=(60, 20, 3)).astype(np.float32)


def test_arrays_by_modality():
    data = Dataset.from_arrays({"acc": ACC, "mic": MIC}, LABEL, name="events")
    assert np.array_equal(data["acc"], ACC)
    assert len(data) == 60
    assert repr(data) == (
        "<Dataset events: 60 samples, 3 classes; acc vector (4,), mic series (20, 3)>"
    )
    with pytest.raises(UnknownNameError, match="no modality 'ac'; did you mean 'acc'"):
        data["ac"]
    with pytest.raises(DataError, match="has 60 samples, label has 59"):
        Dataset.from_arrays({"acc": ACC}, LABEL[:59])


def test_the_name_of_ones_own_data_is_in_the_record(quick):
    data = Dataset.from_arrays({"acc": ACC}, LABEL, name="events")
    result = Federation(data, {"acc": 2}, samples_per_agent=8).fit(**quick)
    assert result.summary.data == "events"
    assert result.summary.config["data"]["data"] == "events"


def test_columns_of_a_table():
    frame = pd.DataFrame(ACC, columns=["ax", "ay", "az", "db"])
    frame = frame.assign(what=np.array(["a", "b", "c"])[LABEL], who=LABEL // 2, held=LABEL == 0)
    modalities = {"acc": ["ax", "ay", "az"], "sound": "db"}
    data = Dataset.from_dataframe(frame, modalities, "what", subject="who", name="walks")
    assert np.array_equal(data["acc"], ACC[:, :3])
    assert data.shape("sound") == (1,)
    assert data.label_names == ("a", "b", "c")
    assert np.array_equal(data.label, LABEL)
    assert data.subject is not None
    marked = Dataset.from_dataframe(frame, modalities, "what", is_test="held")
    assert np.array_equal(marked.is_test, LABEL == 0)
    with pytest.raises(DataError, match="no column 'whta'; did you mean 'what'"):
        Dataset.from_dataframe(frame, modalities, "whta")
    frame.loc[3, "what"] = None
    with pytest.raises(DataError, match="column 'what' lacks 1 values"):
        Dataset.from_dataframe(frame, modalities, "what")


def test_categories_are_classes():
    frame = pd.DataFrame({"x": ACC[:, 0], "kind": pd.Categorical(np.array(["a", "b", "c"])[LABEL])})
    data = Dataset.from_dataframe(frame, {"acc": "x"}, "kind")
    assert np.array_equal(data.label, LABEL)


def test_a_torch_dataset():
    items = [((ACC[index], MIC[index]), LABEL[index]) for index in range(60)]
    data = Dataset.from_torch(items, ["acc", "mic"], name="items")
    assert data.name == "items"
    assert np.array_equal(data["mic"], MIC)


def test_by_name_and_by_path(tmp_path):
    path = tmp_path / "walks.npz"
    np.savez(path, acc=ACC, mic=MIC, label=LABEL, who=np.arange(60) // 6)
    data = load_dataset(path, subject_key="who", kinds={"mic": "vector"})
    assert data.subject is not None
    assert data.shape("mic") == (60,)
    config = Federation(data, {"acc": 2}, samples_per_agent=8).config
    assert config.data.data == str(path)
    assert config.data.subject_key == "who"
    assert config.data.kind == {"mic": "vector"}
    with pytest.raises(DataError, match="did you mean 'digits'"):
        load_dataset("digis")
