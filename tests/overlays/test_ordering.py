from hypothesis import given, settings
from hypothesis import strategies as st

from parse_dfl.overlays.ordering import order, ranking

FROZEN = ["acc-1", "acc-2", "acc-0"]
NAMES = st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=12)


@settings(deadline=None)
@given(NAMES, st.randoms())
def test_the_order_does_not_depend_on_how_members_are_listed(names, random):
    shuffled = random.sample(names, len(names))
    assert order(shuffled, seed=1, label="a") == order(names, seed=1, label="a")
    assert sorted(order(names, seed=1, label="a")) == sorted(names)


@settings(deadline=None)
@given(NAMES.filter(bool))
def test_a_newcomer_leaves_the_order_of_the_others(names):
    newcomer, *others = names
    after = [name for name in order(names, seed=0, label="a") if name != newcomer]
    assert after == order(others, seed=0, label="a")


def test_seeds_and_labels_order_differently():
    names = [f"acc-{index}" for index in range(20)]
    orders = {tuple(order(names, seed=seed, label=label)) for seed in (0, 1) for label in "ab"}
    assert len(orders) == 4


def test_the_order_is_the_same_on_every_machine():
    assert order(["acc-0", "acc-1", "acc-2"], seed=0, label="acc/backbone") == FROZEN
    assert ranking(["acc-0"], seed=0, label="").tolist() == [0]
