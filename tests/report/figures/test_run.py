"""What the caption of the slice maps says of nearest neighbours."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from parse_dfl.report.figures.run import nearest_of_others, slice_maps
from parse_dfl.report.load import read_slices
from tests.report.conftest import read

SAMPLES = 60


def shares(caption: str) -> list[int]:
    return [int(share) for share in re.findall(r"(\d+) % \(redundant\)", caption)]


def write(folder, **more):
    """Two groups that encode every sample almost alike; classes say nothing about the place."""
    draw = np.random.default_rng(0)
    places = draw.normal(0, 10, (SAMPLES, 4))
    label = draw.permutation(np.arange(SAMPLES) % 2)
    arrays = {
        f"{group}/redundant.{group}": places + draw.normal(0, 1e-3, places.shape)
        for group in ("acc", "gyro")
    }
    positions = {"sample": np.arange(SAMPLES), "reach": 0}
    np.savez(folder / "slices.npz", label=label, **(positions | arrays | more))
    return places, label


def test_a_samples_other_encoding_is_no_neighbour(run_folder):
    places, label = write(run_folder)
    alone = nearest_of_others(places, np.arange(SAMPLES))
    truth = float(np.mean(label[alone] == label))
    same_class, _ = shares(slice_maps(read(run_folder)).caption)
    assert truth < 0.75  # a sample's own other encoding would say 100 %
    assert same_class == pytest.approx(100 * truth, abs=1)


def encoded(draw, label, spread):
    """Draw vectors around a corner per class, ``spread`` from the origin."""
    return spread * np.eye(6)[label] + draw.normal(size=(len(label), 6))


def share_by_search(pieces, label, *, others=True):
    """Count by scikit-learn how many points have their class in common with the nearest other one.

    With ``others``, the next points of a list by distance are passed over until one is an encoding
    of another sample; without, the nearest other point counts, whatever it is.
    """
    values, copies = np.concatenate(pieces), len(pieces)
    labels, sample = np.tile(label, copies), np.tile(np.arange(len(label)), copies)
    search = NearestNeighbors(algorithm="brute").fit(values)
    ranked = search.kneighbors(values, n_neighbors=copies + 1, return_distance=False)
    hits = 0
    for point, near in enumerate(ranked):
        admitted = [
            other
            for other in near
            if (sample[other] != sample[point] if others else other != point)
        ]
        hits += labels[admitted[0]] == labels[point]
    return 100 * hits / len(values)


def test_caption_gives_the_shares_that_a_search_by_scikit_learn_gives(run_folder):
    """Two groups encode every sample almost alike, but only one has the synergistic slice."""
    draw = np.random.default_rng(0)
    label = draw.permutation(np.arange(200) % 5)
    pieces = {}
    for kind, spread in (("redundant", 2.6), ("unique", 2.7)):
        first = encoded(draw, label, spread)
        pieces[kind] = [first, first + draw.normal(0, 0.4, first.shape)]
    pieces["synergistic"] = [encoded(draw, label, 3.2)]
    arrays = {
        f"{group}/{kind}.{'acc+gyro' if kind == 'synergistic' else 'acc'}": values
        for kind, encodings in pieces.items()
        for group, values in zip(("acc+gyro", "acc"), encodings, strict=False)
    }
    np.savez(run_folder / "slices.npz", label=label, sample=np.arange(200), reach=0, **arrays)

    nearest = [share_by_search(encodings, label, others=False) for encodings in pieces.values()]
    truth = [share_by_search(encodings, label) for encodings in pieces.values()]
    assert min(nearest[:2]) > 97  # mostly the sample itself, by the other group
    assert max(truth[:2]) < 90
    assert nearest[2] == truth[2]
    caption = slice_maps(read(run_folder)).caption
    said = re.search(r"same class for (\d+) %.*?, (\d+) %.*? and (\d+) %", caption)
    assert [int(share) for share in said.groups()] == [round(share) for share in truth]


def test_windows_that_overlap_are_no_neighbours(run_folder):
    """Each sample lies beside the next in the file, whose class it has."""
    walk = np.arange(SAMPLES)[:, None] * np.ones((1, 4))
    label = np.arange(SAMPLES) % 6 // 3
    order = np.random.default_rng(0).permutation(SAMPLES)
    for reach, expected in ((0, 67), (2, 0)):
        np.savez(
            run_folder / "slices.npz",
            label=label[order],
            sample=order,
            reach=reach,
            **{"acc/redundant.acc": walk[order]},
        )
        caption = slice_maps(read(run_folder)).caption
        assert shares(caption)[0] == pytest.approx(expected, abs=4)
        assert ("window that overlaps it" in caption) == (reach > 0)


def test_points_without_any_other_sample_have_no_neighbour():
    assert nearest_of_others(np.zeros((3, 1)), np.array([0, 1, 2]), 5).tolist() == [-1, -1, -1]
    assert nearest_of_others(np.array([[0.0], [0.1], [9.0]]), np.array([4, 4, 7])).tolist() == [
        2,
        2,
        1,
    ]


def test_slices_that_are_not_drawn_are_named(run_folder):
    nowhere = np.full((SAMPLES, 4), np.nan)
    write(
        run_folder, **{"acc+gyro/unique.acc": nowhere, "acc+gyro/redundant.acc": np.ones((60, 2))}
    )
    caption = slice_maps(read(run_folder)).caption
    assert "not finite: acc+gyro/unique.acc" in caption
    assert "another width: acc+gyro/redundant.acc" in caption
    assert "Of parse, seed 0." in caption


def test_the_samples_positions_must_fit(run_folder):
    write(run_folder, sample=np.arange(3))
    with pytest.raises(Exception, match=r"'sample' has shape \(3,\), not \(60,\)"):
        read_slices(read(run_folder))
