import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from parse_dfl.data.built_in import SyntheticConfig, digits, synthetic
from parse_dfl.data.catalog import load
from parse_dfl.errors import DataError


def test_label_is_its_bits_and_synergy_is_the_exclusive_or_of_the_keys():
    data = synthetic(SyntheticConfig(redundant=2, samples=500))
    bits = data.factors
    order = ["redundant1", "redundant2", "unique_a", "unique_b", "synergy"]
    value = sum(bits[name] << (4 - place) for place, name in enumerate(order))
    np.testing.assert_array_equal(value, data.label)
    np.testing.assert_array_equal(bits["key_a"] ^ bits["key_b"], bits["synergy"])
    assert data.classes == 32
    assert data.label_names[5] == "00101"


def test_keys_say_nothing_about_the_label_alone():
    data = synthetic(SyntheticConfig(samples=8000))
    for key in ("key_a", "key_b"):
        for name in ("redundant", "unique_a", "unique_b", "synergy"):
            assert abs(np.corrcoef(data.factors[key], data.factors[name])[0, 1]) < 0.05


def test_three_modalities_have_synergy_per_neighbouring_pair():
    data = synthetic(SyntheticConfig(modalities=3, dims=5))
    assert {name: data.shape(name) for name in data.modalities} == dict.fromkeys("abc", (5,))
    assert {"synergy_ab", "synergy_bc", "key_ab_a", "key_bc_c", "unique_c"} <= set(data.factors)
    assert data.classes == 2**6


def test_equal_settings_give_equal_data():
    one, same, other = (synthetic(SyntheticConfig(samples=64, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.modalities["a"], same.modalities["a"])
    assert not np.array_equal(one.modalities["a"], other.modalities["a"])


@pytest.fixture(scope="module")
def parted():
    data = synthetic()
    features = np.hstack([data.modalities["a"], data.modalities["b"]])
    features = (features - features.mean(0)) / features.std(0)
    return data.factors, features, slice(0, 3000), slice(3000, None)


@pytest.mark.parametrize("factor", ["redundant", "unique_a", "unique_b", "synergy"])
def test_an_mlp_reads_every_label_bit_at_the_default_noise(parted, factor):
    factors, x, train, test = parted
    bit = factors[factor]
    reader = MLPClassifier((64,), max_iter=200, tol=1e-3, random_state=0).fit(x[train], bit[train])
    assert reader.score(x[test], bit[test]) >= 0.97


def test_no_linear_reader_gets_the_synergy(parted):
    factors, x, train, test = parted
    sign = 2.0 * factors["synergy"] - 1
    weights = np.linalg.lstsq(x[train], sign[train])[0]
    assert (x[test] @ weights * sign[test] > 0).mean() < 0.6


def test_options_as_text():
    data = load("synthetic:noise=0, samples=100,synergy=0,dims=3")
    assert (data.samples, data.classes, data.shape("a")) == (100, 8, (3,))
    assert len(np.unique(data.modalities["a"].round(4), axis=0)) == 4  # two bits, no noise


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("nois=0.3", "unknown option 'nois' of synthetic; did you mean 'noise'"),
        ("samples=many", "samples=many of synthetic is not of type int"),
        ("noise=-1", "noise=-1.0 of synthetic must lie between 0 and 100"),
        ("noise=nan", "noise=nan of synthetic is not of type float"),
        ("modalities=1", "modalities=1 of synthetic must lie between 2 and 8"),
        ("redundant=0,unique=0,synergy=0", "labels of 0 bits"),
        ("redundant=9", "labels of 12 bits"),
        ("samples=10", "samples=10 of synthetic do not cover 16 classes"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(DataError, match=message):
        load(f"synthetic:{options}")


def test_two_halves():
    data = digits()
    assert (data.name, data.samples, data.classes) == ("digits", 1797, 10)
    assert {name: data.shape(name) for name in data.modalities} == {"top": (32,), "bottom": (32,)}
    assert {values.max() for values in data.modalities.values()} == {1.0}


def test_they_are_what_scikit_learn_loads():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    data = digits()
    pixels = np.hstack(list(data.modalities.values()))
    np.testing.assert_array_equal(pixels, images.astype(np.float32) / 16)
    np.testing.assert_array_equal(data.label, labels)


def test_a_scikit_learn_without_its_file(monkeypatch):
    monkeypatch.setattr("parse_dfl.data.built_in._DIGITS_FILE", "elsewhere.csv.gz")
    with pytest.raises(DataError, match=r"not at .*elsewhere\.csv\.gz; install scikit-learn again"):
        digits()


@pytest.mark.parametrize("parts", [4, 8])
def test_bands_are_the_halves_cut_finer(parts):
    halves, bands = digits(), load(f"digits:{parts}")
    assert list(bands.modalities) == [f"part{part + 1}" for part in range(parts)]
    np.testing.assert_array_equal(
        np.hstack(list(bands.modalities.values())), np.hstack(list(halves.modalities.values()))
    )


@pytest.mark.parametrize("parts", ["3", "0", "x", "-2"])
def test_other_parts(parts):
    with pytest.raises(DataError, match=f"'?{parts}'? parts; use one of 2, 4, 8"):
        load(f"digits:{parts}")
