from __future__ import annotations

import pytest

from parse_dfl import Federation, load_dataset

QUICK = {"rounds": 4, "latent": 9, "hidden": 8, "batch_size": 8, "eval_every": 2}
"""A fit of a fifth of a second."""


@pytest.fixture(scope="session")
def digits():
    return load_dataset("digits")


@pytest.fixture
def federation(digits):
    return Federation(digits, {"top": 2, "bottom": 2, "top+bottom": 2}, samples_per_agent=16)


@pytest.fixture(scope="session")
def quick():
    return QUICK


@pytest.fixture(scope="module")
def result(digits, quick):
    """One run, for tests that only read it."""
    small = Federation(digits, {"top": 2, "bottom": 2, "top+bottom": 2}, samples_per_agent=16)
    return small.fit("parse", **quick)
