from __future__ import annotations

import signal
import threading

import pytest

from parse_dfl.runs.callbacks import (
    ECHO_S,
    SILENT,
    STOPS,
    Stopped,
    interrupt_after_round,
    interrupt_at_once,
)


def test_the_silent_listener_says_nothing(capfd):
    SILENT.start("parse", 3, 0)
    SILENT.round(1, {"a": 0.5})
    SILENT.note("text")
    SILENT.finish()
    assert capfd.readouterr() == ("", "")


def test_the_first_ctrl_c_is_remembered_and_the_second_heeded():
    before = signal.getsignal(signal.SIGINT)
    with interrupt_after_round() as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_is_put_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError), interrupt_after_round():
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_leave_signals_alone():
    asked = []

    def work():
        with interrupt_after_round() as stop:
            asked.append((stop.asked, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [(False, before)]


@pytest.mark.parametrize("number", STOPS)
def test_a_scheduler_stops_a_run_as_ctrl_c_does(number):
    with interrupt_after_round() as stop:
        signal.raise_signal(number)
        assert stop.error().number == number
        with pytest.raises(Stopped) as second:
            signal.raise_signal(signal.SIGTERM)
    assert second.value.number == signal.SIGTERM


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupt_after_round() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert not stop.asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_launchers_echo_is_no_second_signal(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("parse_dfl.runs.callbacks.time.monotonic", lambda: now[0])
    with interrupt_after_round(echoes=True) as stop:
        signal.raise_signal(signal.SIGTERM)
        now[0] += ECHO_S / 2
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        now[0] += ECHO_S
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)


def test_outside_of_rounds_a_signal_ends_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped), interrupt_at_once():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
