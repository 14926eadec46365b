from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.peer.tempo import Tempo

SECONDS = st.floats(0, 1000)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_the_first_round_begins_at_once():
    assert Tempo(60.0, clock=Clock()).pause_s() == 0


def test_a_round_that_is_long_anyway_has_no_pause():
    clock = Clock()
    tempo = Tempo(5.0, clock=clock)
    tempo.exchanged(trained_s=7.0)
    assert tempo.pause_s() == 0
    Tempo(0.0, clock=clock).exchanged(trained_s=0.0)
    assert tempo.pause_s() == 0


def test_what_evaluation_and_a_checkpoint_took_is_no_pause_any_more():
    clock = Clock()
    tempo = Tempo(5.0, clock=clock)
    tempo.exchanged(trained_s=1.0)
    clock.now = 1.5
    assert tempo.pause_s() == 2.5
    clock.now = 9.0
    assert tempo.pause_s() == 0


@given(SECONDS, st.lists(st.tuples(SECONDS, SECONDS), min_size=2, max_size=5))
def test_agents_in_lockstep_never_wait_for_each_others_pause(least, agents):
    """Each has begun at a time of its own, and trains for a time of its own: the first exchange
    ends when the last is ready; from then on they are apart by their training at most."""
    trained = [training for _, training in agents]
    end = max(begin + training for begin, training in agents)
    for _ in range(3):
        ready = []
        for training in trained:
            clock = Clock()
            tempo = Tempo(least, clock=clock)
            clock.now = end
            tempo.exchanged(trained_s=training)
            ready.append(end + tempo.pause_s() + training)
        longest_wait = max(ready) - min(ready)
        assert longest_wait <= max(0.0, max(trained) - least) + 1e-6
        assert max(ready) - end >= least - 1e-6
        end = max(ready)
