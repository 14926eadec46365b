"""Tests may be skipped for reasons that stand here; any other skip fails.

A test that is skipped because a dependency of the development set is missing, or a file has moved,
checks nothing and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

EXPECTED = (
    r"no CUDA device",
    r"this machine has a CUDA device",
    r"no C\+\+ compiler",
    r"no browser: none of .* is installed",
    r"needs Linux and iproute2",
    r"needs the right to make network namespaces \(root\)",
    r"needs Linux: .*",
    r"no /dev/full on this system",
    r"this file system takes UTF-8 names only",
    r"PARSE_DFL_DATA is not set",
)
"""Patterns of the reasons that a machine may give: hardware, rights, tools, private data."""


def is_expected(reason: str) -> bool:
    """Return whether a test may be skipped for ``reason``."""
    return any(re.fullmatch(pattern, reason.removeprefix("Skipped: ")) for pattern in EXPECTED)


def _fail_unless_expected(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    if not is_expected(reason):
        report.outcome = "failed"
        report.longrepr = f"unexpected skip ({reason}); reasons to skip are listed in {__file__}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Fail a test that is skipped for no reason of the list."""
    report: Any = yield
    _fail_unless_expected(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Fail a module that is skipped for no reason of the list."""
    report: Any = yield
    _fail_unless_expected(report)
    return report
