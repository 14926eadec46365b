import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.data.arrays import label_column, subject_column, test_column
from parse_dfl.errors import DataError

test_column.__test__ = False  # the package's function, not a test


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=30).filter(lambda x: len(set(x)) > 1))
def test_any_integers_become_classes_from_zero(values):
    label, names = label_column(np.array(values), None)
    assert sorted(set(label.tolist())) == list(range(len(names)))
    assert [names[index] for index in label] == [str(value) for value in values]


def test_text_labels():
    label, names = label_column(np.array(["walk", "run", "walk"]), None)
    assert (label.tolist(), names) == ([1, 0, 1], ("run", "walk"))


def test_label_names_are_positions_even_where_a_class_has_no_sample():
    label, names = label_column([0, 2, 2], ["a", "b", "c"])
    assert (label.tolist(), names) == ([0, 2, 2], ("a", "b", "c"))


def test_label_names_in_order_of_other_integers():
    label, _ = label_column([7, 9, 8], np.array([b"a", b"b", b"c"]))
    assert label.tolist() == [0, 2, 1]


def test_text_labels_keep_the_order_of_their_names():
    label, names = label_column(["run", "walk"], ["walk", "run"])
    assert (label.tolist(), names) == ([1, 0], ("walk", "run"))


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        (None, None, "no label"),
        ([0.0, 1.0], None, "type float64"),
        (np.array([{}, []], dtype=object), None, "holds objects"),
        ([[0, 1], [1, 1]], None, r"shape \(2, 2\).* one-hot"),
        ([[0.2, 0.8], [1, 0]], None, r"shape \(2, 2\).* one-hot"),
        ([[[0]], [[1]]], None, r"shape \(2, 1, 1\)"),
        ([0, 1], np.array("x"), r"label_names has shape \(\)"),
        ([0, 1], np.array([1.5, 2.5]), "label_names has type float64"),
        (["x", None], None, "1 missing values"),
        (3, None, r"shape \(\)"),
        ([], None, "type float64"),
        (np.array([], dtype=int), None, "empty"),
        ([4, 4], None, "single class, 4"),
        ([0, 1], ["a", "a"], "repeats a name"),
        (["x", "y"], ["x", "z"], "'y' is not in label_names"),
        ([5, 6, 9], ["a", "b"], "2 names, but label holds 3 values from 5 to 9"),
        ([[1], [1, 2]], None, "cannot be read as an array"),
    ],
)
def test_bad_labels(values, names, message):
    with pytest.raises(DataError, match=message):
        label_column(values, names)


def test_subjects_keep_their_numbers_and_named_ones_are_numbered():
    numbers, names = subject_column("subject", [7, 3], 2)
    assert (numbers.tolist(), names) == ([7, 3], ())
    numbers, names = subject_column("subject", ["eve", "bob"], 2)
    assert (numbers.tolist(), names) == ([1, 0], ("bob", "eve"))


def test_fractional_subjects():
    with pytest.raises(DataError, match="'who' has type float64"):
        subject_column("who", [0.5, 1.5], 2)


def test_test_mark():
    assert test_column([0, 1], 2).tolist() == [False, True]
    with pytest.raises(DataError, match="is_test must hold booleans"):
        test_column([0, 2], 2)
    with pytest.raises(DataError, match="'is_test' has 3 values, label has 2"):
        test_column([0, 1, 1], 2)


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_bytes_are_read_whatever_their_coding(coding):
    texts = np.array([text.encode(coding) for text in ("Fuß", "café", "Fuß")])
    label, names = label_column(texts, None)
    assert (label.tolist(), names) == ([0, 1, 0], ("Fuß", "café"))
    assert label_column([0, 1, 1], texts[:2])[1] == ("Fuß", "café")
    assert subject_column("subject", texts, 3)[1] == ("Fuß", "café")


def test_text_that_no_output_can_hold_is_shown_by_numbers():
    assert label_column(["\udce9", "b"], None)[1] == ("\\udce9", "b")


@pytest.mark.parametrize(
    "values", [np.array([[0], [1], [1]]), np.eye(2)[[0, 1, 1]], np.eye(2, dtype=bool)[[0, 1, 1]]]
)
def test_a_column_as_a_matrix_and_one_hot_rows(values):
    label, names = label_column(values, ["sit", "walk"])
    assert (label.tolist(), names) == ([0, 1, 1], ("sit", "walk"))


def test_columns_of_tables():
    pandas = pytest.importorskip("pandas")
    texts = pandas.Series(["walk", "sit", "walk"], dtype="string")
    assert label_column(texts, None)[1] == ("sit", "walk")
    ordered = texts.astype(pandas.CategoricalDtype(["walk", "run", "sit"], ordered=True))
    label, names = label_column(ordered, None)
    assert (label.tolist(), names) == ([0, 1, 0], ("walk", "sit"))
    numbers = pandas.Series([3, 1, 3], dtype="category")
    assert label_column(numbers, None)[1] == ("1", "3")
    assert subject_column("who", pandas.Series([7, 8, 7], dtype="Int64"), 3)[0].tolist() == [
        7,
        8,
        7,
    ]
    with pytest.raises(DataError, match="1 missing values"):
        label_column(pandas.Series(["a", None, "b"], dtype="string"), None)
