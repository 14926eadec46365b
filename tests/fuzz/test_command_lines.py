"""Whatever is typed ends with a result or one line on stderr, never with a traceback.

The status is 0, 2 where it is refused, or 3 where agents diverged.

By hand, any number of cases:  python -m tests.fuzz.test_command_lines 1000 [FIRST SEED]
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import pytest

from parse_dfl.cli import main
from tests.fuzz.command_lines import command_line, write_files

CASES = 100


def run(argv):
    """Return status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with streams[0], streams[1], warnings.catch_warnings():
        warnings.simplefilter("default")
        try:
            status = main(argv)
        except SystemExit as stop:  # --help and --version
            status = stop.code or 0
    return status, out.getvalue(), err.getvalue()


def check(argv):
    """Fail unless the command line ends as it should."""
    status, out, err = run(argv)
    assert status in (0, 2, 3), f"status {status}"
    assert "Traceback" not in out + err
    if status == 3:  # a attacker's or a rate's numbers: the run ends well, and says so
        assert "diverged" in err, err
    if status == 2:
        said = [line for line in err.splitlines() if line.startswith("parse-dfl: ")]
        assert len(said) == 1, err
        assert err.endswith(f"{said[0]}\n"), err
        assert len(said[0]) < 1500, err


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fuzz")
    write_files(place)
    with contextlib.chdir(place), pytest.MonkeyPatch.context() as patch:
        patch.delenv("PARSE_DFL_DATA", raising=False)
        patch.setattr("sys.stdin", io.StringIO())
        # Pictures take seconds each; by hand they are drawn.
        patch.setattr("parse_dfl.report.page.save_pictures", lambda record: ([], []))
        yield place


@pytest.mark.parametrize("seed", range(CASES))
def test_a_command_line_ends_well_or_with_one_line(seed):
    check(command_line(seed))


def by_hand(cases: int, first: int) -> int:
    """Run ``cases`` command lines; print those that fail, and how many did."""
    failed = 0
    os.environ.pop("PARSE_DFL_DATA", None)
    sys.stdin = io.StringIO()
    for seed in range(first, first + cases):
        try:
            check(command_line(seed))
        except Exception:  # noqa: BLE001 - that is what is looked for
            failed += 1
            print(f"seed {seed}: {command_line(seed)!r}")
            print(traceback.format_exc().strip(), flush=True)
    print(f"{cases} cases, {failed} failed")
    return failed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        write_files(Path(place))
        sys.exit(bool(by_hand(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0)))
