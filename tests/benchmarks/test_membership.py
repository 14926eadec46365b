from __future__ import annotations

import pytest

from benchmarks.membership.simulate import Setting, simulate


def test_the_load_of_buckets_hardly_grows_and_that_of_full_views_does():
    small, large = (simulate(Setting(agents=n, seconds=60)) for n in (1000, 8000))
    assert large["full"].known == pytest.approx(8 * small["full"].known, rel=0.1)
    assert large["buckets"].known == pytest.approx(small["buckets"].known, rel=0.2)
    assert large["full"].notices_per_second > 4 * small["full"].notices_per_second
    assert large["buckets"].connections - small["buckets"].connections == 3
    for loads in (small, large):
        assert loads["buckets"].known < loads["full"].known
        assert 0 < loads["full"].wrong_neighbour_share < 0.05


def test_nobody_comes_or_goes():
    loads = simulate(Setting(agents=200, seconds=5, session_s=1e12, away_s=1e12))
    for load in loads.values():
        assert load.notices_per_second == 0
        assert load.wrong_neighbour_share == 0
