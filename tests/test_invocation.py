from __future__ import annotations

import sys

import pytest

from parse_dfl.invocation import command


@pytest.mark.parametrize(
    ("argv", "python", "expected"),
    [
        (".venv/bin/parse-dfl", "python", ".venv/bin/parse-dfl run 'my run'"),
        ("my env/bin/parse-dfl", "python", "'my env/bin/parse-dfl' run 'my run'"),
        ("/x/parse_dfl/__main__.py", "./python3", "./python3 -m parse_dfl run 'my run'"),
        ("experiment.py", "python", "parse-dfl run 'my run'"),
    ],
)
def test_a_hint_is_what_the_user_typed(monkeypatch, argv, python, expected):
    monkeypatch.setattr(sys, "argv", [argv])
    monkeypatch.setattr(sys, "orig_argv", [python])
    monkeypatch.setattr(sys, "executable", "/elsewhere/python3")
    assert command("run", "my run") == expected


def test_on_the_search_path_the_name_is_enough(monkeypatch, tmp_path):
    script = tmp_path / "parse-dfl"
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert command("data") == "parse-dfl data"
