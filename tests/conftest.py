"""What all tests share: properties are never judged by the clock of a busy machine."""

from __future__ import annotations

import pytest

from parse_dfl.process import tune_process

tune_process()  # before torch is loaded: tests run side by side, and would wait for each other

import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from tests.skips import (  # noqa: E402, F401 - hooks
    pytest_make_collect_report,
    pytest_runtest_makereport,
)

settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@pytest.fixture
def two_torch_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
