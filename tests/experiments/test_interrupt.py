from __future__ import annotations

import signal
import threading

import pytest

from parse_dfl.experiments.interrupt import interrupt_after_round


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
