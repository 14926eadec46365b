import numpy as np
import pytest

from parse_dfl.data.adapters import (
    CREMAD_KEYS,
    CREMAD_MODALITIES,
    avdigits,
    avdigits_hard,
    cremad_votes,
    utd_mhad,
)


@pytest.fixture
def folder(tmp_path):
    clip, image = np.arange(4), np.arange(5)
    logmel = np.zeros((4, 50, 32), np.float16) + clip[:, None, None]
    pixels = np.zeros((5, 28, 28), np.uint8) + 51 * image[:, None, None].astype(np.uint8)
    np.savez(tmp_path / "audio_logmel.npz", logmel=logmel)
    np.savez(tmp_path / "mnist_t10k.npz", image=pixels)
    np.savez(tmp_path / "hard.npz", logmel_noisy=logmel + 10, image_pca4=np.tile(image[:, None], 4))
    np.savez(
        tmp_path / "pairs.npz",
        train=[[4, 0], [1, 2]], train_label=[7, 3], train_speaker=[5, 2],
        test=[[3, 1]], test_label=[7], test_speaker=[5],
    )  # fmt: skip
    return tmp_path


def test_clean_pairs(folder):
    data = avdigits(folder)
    assert data.modalities["image"][:, 0, 0].tolist() == pytest.approx([0.8, 0.2, 0.6])
    assert data.modalities["audio"][:, 0, 0].tolist() == [0, 2, 1]
    assert data.kinds == {"audio": "series", "image": "image"}
    assert [data.label_names[label] for label in data.label] == ["7", "3", "7"]
    assert data.is_test.tolist() == [False, False, True]
    assert data.subject.tolist() == [5, 2, 5]


def test_hard_pairs(folder):
    data = avdigits_hard(folder)
    assert data.modalities["image"].tolist() == [[4] * 4, [1] * 4, [3] * 4]
    assert data.modalities["audio"][:, 0, 0].tolist() == [10, 12, 11]
    assert data.kinds == {"audio": "series", "image": "vector"}


def test_votes_become_shares_and_levels_lie_between_0_and_1(tmp_path):
    votes = np.array([[6, 2, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.uint8)
    level = np.array([[50, 100, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.float32)
    columns = {key: np.array([1001, 1002]) for key in CREMAD_KEYS}
    tables = {f"{name}_votes": votes for name in CREMAD_MODALITIES}
    tables |= {f"{name}_level": level for name in CREMAD_MODALITIES}
    names = np.array(["ANG", "DIS"])
    np.savez(tmp_path / "data.npz", **tables, **columns, label=[0, 1], label_names=names)

    data = cremad_votes(tmp_path)

    expected = [0.75, 0.25, 0, 0, 0, 0, 0.5, 1, 0, 0, 0, 0]
    for name in CREMAD_MODALITIES:
        np.testing.assert_allclose(data.modalities[name], [expected, [0] * 12])
    assert data.subject.tolist() == [1001, 1002]
    assert data.label_names == ("ANG", "DIS")


def test_layout_and_the_authors_test_subjects(tmp_path):
    np.savez(
        tmp_path / "data.npz",
        depth=np.full((3, 16, 32, 32), 255, np.uint8),
        inertial=np.ones((3, 128, 6), np.float16),
        skeleton=np.arange(3 * 64 * 60, dtype=np.float32).reshape(3, 64, 20, 3),
        label=[0, 1, 0],
        label_names=["swipe", "wave"],
        subject=[1, 2, 8],
        trial=[1, 1, 1],
    )
    data = utd_mhad(tmp_path)
    assert data.kinds == {"depth": "video", "inertial": "series", "skeleton": "series"}
    assert {name: data.shape(name) for name in data.modalities} == {
        "depth": (16, 32, 32),
        "inertial": (128, 6),
        "skeleton": (64, 60),
    }
    assert data.modalities["depth"].max() == 1
    assert data.is_test.tolist() == [False, True, True]
    assert set(data.keys) == {"trial"}
