"""Whatever an archive holds: a result, or one line that says what is wrong."""

from __future__ import annotations

import pytest

from tests.fuzz.archives import check

CASES, BATCH = 100, 20


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
@pytest.mark.filterwarnings("default")
def test_generated_archives_are_read_or_refused_in_one_line(first, tmp_path):
    trouble = [check(seed, tmp_path)[0] for seed in range(first, first + BATCH)]
    assert not any(trouble), "\n".join(filter(None, trouble))
