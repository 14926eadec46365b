"""The page: one file that holds everything, and says what each figure shows."""

from __future__ import annotations

import re

import pytest

from parse_dfl.report.figures.collection import heat_map
from parse_dfl.report.page import save_pictures
from parse_dfl.report.style import DARK, save_picture
from parse_dfl.runs.reporting import write_report
from tests.report.conftest import METHODS, read, write_conflicts


@pytest.fixture(scope="module")
def page(shared_page):
    return shared_page.read_text()


def test_the_page_needs_no_network(page):
    outside = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', page)
    assert outside == []
    assert "<script" not in page
    assert not re.search(r"url\((?!#)", page)


def test_every_figure_says_what_to_see(page):
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    captions = re.findall(r"<figcaption>(.+?)</figcaption>", page)
    assert len(labels) == len(captions) == page.count("<figure>")
    assert all(label.count(". ") >= 1 and len(label) > 60 for label in labels)


def test_ids_are_unique_over_all_drawings(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    figure_ids = [name for name in ids if name.startswith("overlays.")]
    assert figure_ids
    assert {name.partition(".")[0] for name in ids} >= {"overlays", "final-accuracy"}
    for target in re.findall(r'href="#([^"]+)"', page):
        assert target in ids


def test_every_figure_lies_beside_the_page_as_png_and_svg(page, shared_comparison):
    files = {path.name for path in (shared_comparison / "figures").iterdir()}
    stems = {name.removesuffix(".svg") for name in files if name.endswith(".svg")}
    assert {f"{stem}.png" for stem in stems} <= files
    assert stems == {
        "final-accuracy",
        "learning-curves",
        "accuracy-and-payload",
        "overlays",
        "slices",
        "gradient-conflict",
    }


def test_the_table_names_every_method_and_marks_the_best(page):
    assert all(f">{name}</th>" in page for name in METHODS)
    assert '<td class="best">' in page


def test_the_colours_of_paper_and_ink_have_a_dark_counterpart(page):
    for light in DARK:
        assert f'[style*="fill: {light.lower()}"]' in page
    assert "@media screen and (prefers-color-scheme: dark)" in page


def test_names_from_files_are_text_and_nothing_else(collection_folder):
    path = collection_folder / "digits" / "comparison.json"
    path.write_text(path.read_text().replace('"local"', '"<b>local"'))
    with pytest.warns(UserWarning, match="digits/local holds runs of a method that"):
        text = write_report(collection_folder).read_text()
    assert "<b>local" not in text
    assert "&lt;b&gt;local" in text


def test_a_damaged_extra_leaves_the_rest_of_the_page(run_folder):
    (run_folder / "slices.npz").write_bytes(b"nothing")
    write_conflicts(run_folder)
    with pytest.warns(UserWarning, match=r"left out of the report: cannot read .*slices\.npz"):
        text = write_report(run_folder).read_text()
    assert "Gradient conflict over rounds" in text
    assert "Slices in two dimensions" not in text
    (run_folder / "slices.npz").unlink()
    (run_folder / "conflict.jsonl").write_text("{}")
    with pytest.warns(UserWarning, match=r"left out .*conflict\.jsonl, line 1 lacks"):
        assert "Overlays" in write_report(run_folder).read_text()


def test_an_unfinished_run_has_its_curves(unfinished_folder):
    text = write_report(unfinished_folder).read_text()
    assert "unfinished" in text
    assert "Learning curves per agent group" in text


def test_a_folder_has_its_figures_the_same_bytes_each_time(collection_folder):
    record = read(collection_folder)
    first = {one.picture.name: one.svg for one in save_pictures(record)[0]}
    assert set(first) == {"heat-map", "differences", "curves"}
    picture = heat_map(record)
    assert picture is not None
    assert save_picture(picture, collection_folder).svg == first["heat-map"]
