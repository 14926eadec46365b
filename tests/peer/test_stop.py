from __future__ import annotations

import os
import signal
from threading import Thread

from parse_dfl.peer.stop import Stop

FOR_EVER_S = 1e12


def test_after_which_round():
    stop = Stop()
    assert not stop.asked
    stop.ask(5)
    assert stop.asked
    assert (stop.due(4), stop.due(5)) == (False, True)


def test_without_a_pause_nothing_is_waited_for():
    stop = Stop()
    assert not stop.due_within(0.0, done=3)
    stop.ask(4)
    assert not stop.due_within(0.0, done=3)
    assert stop.due_within(FOR_EVER_S, done=4)


def test_a_stop_asked_for_in_a_pause_ends_it():
    stop = Stop()
    asker = Thread(target=stop.ask)
    asker.start()
    assert stop.due_within(FOR_EVER_S, done=3)
    asker.join()


def test_one_for_a_later_round_does_not():
    stop = Stop()
    stop.ask(5)
    asker = Thread(target=stop.ask, args=(4,))
    asker.start()
    assert stop.due_within(FOR_EVER_S, done=4)
    asker.join()


def test_one_that_is_held_waits_until_it_is_told():
    stop = Stop()
    stop.hold()
    asker = Thread(target=stop.ask, args=(7,))
    asker.start()
    assert not stop.due_within(0.0, done=6)  # one more round is to be done
    asker.join()
    assert stop.due_within(0.0, done=7)


def test_a_signals_handler_may_ask_in_the_middle_of_a_pause():
    stop = Stop()
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.ask())
    sender = Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
    sender.start()
    try:
        assert stop.due_within(FOR_EVER_S, done=0)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
