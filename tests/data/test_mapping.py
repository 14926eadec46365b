import numpy as np
import pytest
import torch

from parse_dfl.agents import Kind
from parse_dfl.data.mapping import from_mapping, from_torch_dataset
from parse_dfl.errors import DataError

LABEL = np.array([0, 1, 0, 1])


def test_arrays_and_tensors_become_aligned_float32():
    data = from_mapping(
        "mine",
        {"acc": torch.ones(4, 10, 3, requires_grad=True), "age": np.arange(4)},
        torch.tensor([5, 9, 5, 9]),
        subject=["eve", "bob", "eve", "bob"],
        is_test=[True, False, False, False],
        keys={"trial": [1, 1, 2, 2]},
        factors={"bit": [0, 1, 0, 1]},
    )
    assert {name: values.dtype for name, values in data.modalities.items()} == {
        "acc": np.float32,
        "age": np.float32,
    }
    assert (data.shape("acc"), data.shape("age")) == ((10, 3), (1,))
    assert data.kinds == {"acc": Kind.SERIES, "age": Kind.VECTOR}
    assert (data.samples, data.classes, data.label_names) == (4, 2, ("5", "9"))
    assert (data.subject.tolist(), data.subject_names) == ([1, 0, 1, 0], ("bob", "eve"))
    assert data.is_test.tolist() == [True, False, False, False]
    assert data.keys["trial"].tolist() == [1, 1, 2, 2]
    assert data.factors["bit"].dtype == np.int64


def test_declared_kind():
    data = from_mapping("mine", {"m": np.ones((4, 50, 32))}, LABEL, kinds={"m": "series"})
    assert data.kinds["m"] is Kind.SERIES


BAD_NUMBERS = np.array([[1.0], [np.nan], [np.inf], [2.0]])


@pytest.mark.parametrize(
    ("modalities", "message"),
    [
        ({}, "no modality"),
        ({"left=hand": np.ones((4, 2))}, "'left=hand' is no modality name"),
        (
            {"e\u0301": np.ones((4, 2)), "\u00e9": np.ones((4, 2))},
            "'\u00e9' is there twice",
        ),
        ({"acc": np.ones((3, 2))}, "'acc' has 3 samples, label has 4"),
        ({"acc": np.float32(1)}, "'acc' has 0 samples"),
        ({"acc": BAD_NUMBERS}, "'acc' has 2 NaN or infinite"),
        ({"acc": np.full((4, 1), 1e300)}, r"'acc' has mean 1e\+300 .* change its unit"),
        ({"acc": np.full((4, 1), None)}, "'acc' has type object"),
        ({"acc": np.full((4, 1), "x")}, "'acc' has type <U1"),
        ({"acc": np.ones((4, 0))}, "'acc' is empty"),
        ({"acc": torch.ones(4, 2, dtype=torch.bfloat16)}, "cannot be read as an array"),
    ],
)
def test_bad_modalities(modalities, message):
    with pytest.raises(DataError, match=message):
        from_mapping("mine", modalities, LABEL)


def test_kind_of_an_unknown_modality():
    with pytest.raises(DataError, match="unknown modality 'ac'; did you mean 'acc'"):
        from_mapping("mine", {"acc": np.ones((4, 2))}, LABEL, kinds={"ac": "vector"})


def test_torch_dataset_of_tuples():
    tensors = torch.utils.data.TensorDataset(torch.arange(8.0).reshape(4, 2), torch.tensor(LABEL))
    pairs = [((x, 2 * x), y) for x, y in tensors]
    data = from_torch_dataset("pairs", pairs, ["one", "two"])
    assert data.label.tolist() == LABEL.tolist()
    np.testing.assert_array_equal(data.modalities["two"], 2 * data.modalities["one"])


class Mappings(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {"x": torch.full((3,), float(index)), "y": torch.zeros(2)}, "ab"[index % 2]


def test_torch_dataset_of_mappings():
    assert set(from_torch_dataset("all", Mappings()).modalities) == {"x", "y"}
    some = from_torch_dataset("some", Mappings(), ["x"])
    assert some.modalities["x"][:, 0].tolist() == [0, 1, 2, 3]
    assert some.label_names == ("a", "b")


@pytest.mark.parametrize(
    ("dataset", "modalities", "message"),
    [
        (iter([]), None, "has no length"),
        ([], None, "is empty"),
        ([torch.ones(2)], None, "item 0 is not"),
        ([(torch.ones(2), 0)], None, "neither a mapping nor a tuple"),
        ([((torch.ones(2),), 0)], None, "has 1 tensors; name as many"),
        (Mappings(), ["x", "z"], "item 0 lacks modality 'z'"),
        ([({"x": np.ones(2)}, 0), ({"x": np.ones(3)}, 1)], None, r"shapes: \(2,\), \(3,\)"),
    ],
)
def test_bad_torch_datasets(dataset, modalities, message):
    with pytest.raises(DataError, match=message):
        from_torch_dataset("bad", dataset, modalities)


@pytest.mark.parametrize("type_", [np.int64, np.float64])
def test_numbers_far_from_zero_keep_what_float32_would_lose(type_):
    stamps = (1_700_000_000 + np.arange(4)).astype(type_)
    data = from_mapping("mine", {"time": stamps, "ones": np.ones((4, 2))}, LABEL)
    assert data.modalities["time"][:, 0].tolist() == stamps.tolist()
    assert data.modalities["ones"].dtype == np.float32


def test_a_torch_dataset_of_pictures_with_channels_first_and_one_hot_labels():
    rows = [({"cam": torch.ones(3, 8, 12) * i}, torch.eye(2)[i % 2]) for i in range(4)]
    data = from_torch_dataset("cams", rows)
    assert (data.shape("cam"), data.kinds["cam"]) == ((8, 12, 3), Kind.IMAGE)
    assert data.label.tolist() == [0, 1, 0, 1]
    assert "read as image (chw)" in data.notes()[0]
    assert from_torch_dataset("cams", rows, kinds={"cam": "video"}).shape("cam") == (3, 8, 12)


def test_the_names_of_a_torch_dataset_repeat():
    with pytest.raises(DataError, match="x, x repeat a name"):
        from_torch_dataset("twice", [((np.ones(2), np.ones(2)), 0)], ["x", "x"])


def test_a_table_that_names_a_column_twice():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.ones((4, 2)), columns=["age", "age"])
    with pytest.raises(DataError, match="modality 'age' is there twice"):
        from_mapping("twice", table, LABEL)
    with pytest.raises(DataError, match="column 'age' is there twice"):
        from_mapping("twice", {"m": np.ones((4, 2))}, LABEL, keys=table)


def test_the_notes_are_of_the_modalities_that_are_used():
    data = from_mapping("two", {"wav": np.ones((4, 1, 99)), "b": np.ones((4, 2))}, LABEL)
    assert data.shape("wav") == (99, 1)
    assert (len(data.notes()), data.notes(["b"])) == (1, [])
