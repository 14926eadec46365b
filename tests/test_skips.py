"""A skip for a reason that nobody listed is a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import is_expected

TESTS = """
import pytest

def test_without_a_device():
    pytest.skip("no CUDA device")

def test_without_a_dependency():
    pytest.importorskip("a_module_that_is_not_there")

@pytest.mark.xfail(reason="known")
def test_that_is_known_to_fail():
    assert False
"""


def test_a_skip_for_another_reason_fails(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('nowhere')\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.skips", "--rootdir", tmp_path]
    done = subprocess.run(
        [*command, tmp_path, "--continue-on-collection-errors"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 skipped, 1 xfailed, 1 error" in done.stdout
    assert "unexpected skip (Skipped: could not import 'a_module_that_is_not_there'" in done.stdout


@pytest.mark.parametrize(
    "reason", ["no CUDA device", "Skipped: no browser: none of a is installed"]
)
def test_reasons_of_the_list_are_expected(reason):
    assert is_expected(reason)


def test_a_reason_is_compared_as_a_whole():
    assert not is_expected("no CUDA device, and no will")
