from __future__ import annotations

from parse_dfl.runs.callbacks import SILENT


def test_the_silent_listener_says_nothing(capfd):
    SILENT.start("parse", 3, 0)
    SILENT.round(1, {"a": 0.5})
    SILENT.note("text")
    SILENT.finish()
    assert capfd.readouterr() == ("", "")
