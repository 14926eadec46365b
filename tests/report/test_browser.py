"""The page in a real browser: no complaint on the console, nothing asked of any network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--dump-dom",
)


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


def visit(browser: str, page: Path, profile: Path) -> tuple[str, list[str], list[str]]:
    """The page as the browser understood it, the console's lines, and what the page asked for."""
    log = profile / "net.json"
    command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--log-net-log={log}"]
    done = subprocess.run(
        [*command, page.resolve().as_uri()], capture_output=True, text=True, timeout=90, check=True
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    own = [line for line in log.read_text().splitlines() if "internally: file://" in line]
    return (
        done.stdout,
        console,
        [url for line in own for url in re.findall(r'"url":"(\S+?)"', line)],
    )


def test_the_page_opens_without_errors_or_requests(browser, shared_page, tmp_path):
    page, console, asked = visit(browser, shared_page, tmp_path / "profile")
    assert page.count('<svg role="img"') == page.count("<figure>") > 4
    assert console == []
    assert asked == []


def test_a_page_that_complains_and_asks_would_be_noticed(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://parse.invalid/x.png"><script>console.error("oh")</script>')
    _, console, asked = visit(browser, bad, tmp_path / "profile")
    assert any('"oh"' in line for line in console)
    assert asked == ["http://parse.invalid/x.png"]
