from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from parse_dfl.cli.output import PlainListener, ProgressListener, progress


def play(listener):
    listener.start("parse", 20, 0)
    listener.round(5, None)
    listener.round(10, {"a": 0.413, "a+b": 1.0})
    listener.note("[note]")
    listener.finish()


def test_without_a_terminal_there_is_a_line_an_evaluation(capsys):
    with progress(quiet=False) as listener:
        play(listener)
    assert capsys.readouterr().err == "parse: round 10/20  a 41.3 %  a+b 100.0 %\n[note]\n"


def test_a_resumed_run_says_where_it_goes_on(capsys):
    PlainListener().start("parse", 20, 7)
    assert capsys.readouterr().err == "parse: goes on after round 7\n"


def test_a_terminal_gets_a_bar_with_the_latest_accuracy():
    stream = io.StringIO()
    play(ProgressListener(Console(file=stream, force_terminal=True, width=120)))
    shown = stream.getvalue()
    assert "10/20" in shown
    assert "a 41.3 %  a+b 100.0 %" in shown
    assert "[note]" in shown


def test_quiet_shows_no_progress_but_what_needs_attention(capsys):
    with progress(quiet=True) as listener:
        play(listener)
    assert capsys.readouterr().err == "[note]\n"


def test_the_bar_goes_away_when_the_run_breaks(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(KeyboardInterrupt), progress(quiet=False) as listener:  # noqa: PT012
        assert isinstance(listener, ProgressListener)
        listener.start("parse", 20, 0)
        raise KeyboardInterrupt
    assert listener._bar.finished
    assert not listener._bar.live.is_started
