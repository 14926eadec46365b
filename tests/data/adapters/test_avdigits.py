import numpy as np
import pytest

from parse_dfl.data.adapters.avdigits import read, read_hard


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
    data = read(folder)
    assert data.modalities["image"][:, 0, 0].tolist() == pytest.approx([0.8, 0.2, 0.6])
    assert data.modalities["audio"][:, 0, 0].tolist() == [0, 2, 1]
    assert data.kinds == {"audio": "series", "image": "image"}
    assert [data.label_names[label] for label in data.label] == ["7", "3", "7"]
    assert data.is_test.tolist() == [False, False, True]
    assert data.subject.tolist() == [5, 2, 5]


def test_hard_pairs(folder):
    data = read_hard(folder)
    assert data.modalities["image"].tolist() == [[4] * 4, [1] * 4, [3] * 4]
    assert data.modalities["audio"][:, 0, 0].tolist() == [10, 12, 11]
    assert data.kinds == {"audio": "series", "image": "vector"}
