import numpy as np

from parse_dfl.data.adapters.cremad_votes import KEYS, MODALITIES, read


def test_votes_become_shares_and_levels_lie_between_0_and_1(tmp_path):
    votes = np.array([[6, 2, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.uint8)
    level = np.array([[50, 100, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.float32)
    columns = {key: np.array([1001, 1002]) for key in KEYS}
    tables = {f"{name}_votes": votes for name in MODALITIES}
    tables |= {f"{name}_level": level for name in MODALITIES}
    names = np.array(["ANG", "DIS"])
    np.savez(tmp_path / "data.npz", **tables, **columns, label=[0, 1], label_names=names)

    data = read(tmp_path)

    expected = [0.75, 0.25, 0, 0, 0, 0, 0.5, 1, 0, 0, 0, 0]
    for name in MODALITIES:
        np.testing.assert_allclose(data.modalities[name], [expected, [0] * 12])
    assert data.subject.tolist() == [1001, 1002]
    assert data.label_names == ("ANG", "DIS")
