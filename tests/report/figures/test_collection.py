"""The picture of differences holds all of its words, whatever the comparisons are called."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.backends.backend_agg import FigureCanvasAgg

from parse_dfl.report.figures.collection import differences
from tests.report.conftest import read, write_comparison


def test_long_names_are_neither_clipped_nor_told_twice(tmp_path):
    for number in range(3):
        name = f"a_rather_long_name_{number}_2+2+11_dirichlet-0.3"
        write_comparison(tmp_path / name, methods=("parse", "harmony", "local"))
    collection = read(tmp_path)
    drawn = differences(collection).figure
    renderer = FigureCanvasAgg(drawn).get_renderer()
    drawn.draw(renderer)
    words = [text for panel in drawn.axes for text in (*panel.texts, panel.title)]
    words += [label for panel in drawn.axes for label in panel.get_yticklabels()]
    names = [text.get_text() for text in words if text.get_text()]
    assert sum(name.startswith("a_rather_long_name_1") for name in names) == 1
    assert {"acc", "gyro", "acc+gyro"} <= set(names)
    for text in words:
        box = text.get_window_extent(renderer)
        assert not text.get_text() or (box.x0 >= 0 and box.x1 <= drawn.bbox.x1)


def test_a_folder_without_rivals_has_no_such_picture(tmp_path):
    write_comparison(tmp_path / "one", methods=("parse",))
    write_comparison(tmp_path / "two", methods=("parse",))
    assert differences(replace(read(tmp_path), problems=())) is None
