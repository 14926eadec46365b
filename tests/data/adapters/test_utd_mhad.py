import numpy as np

from parse_dfl.data.adapters.utd_mhad import read


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
    data = read(tmp_path)
    assert data.kinds == {"depth": "video", "inertial": "series", "skeleton": "series"}
    assert {name: data.shape(name) for name in data.modalities} == {
        "depth": (16, 32, 32),
        "inertial": (128, 6),
        "skeleton": (64, 60),
    }
    assert data.modalities["depth"].max() == 1
    assert data.is_test.tolist() == [False, True, True]
    assert set(data.keys) == {"trial"}
