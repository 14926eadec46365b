"""``parse-dfl node`` as a site engineer runs it: commands, certificates, signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import parse_dfl
from parse_dfl.cli import main

PATIENCE_S = 240
CHANGES = {
    "least_round_s = 0.0": "least_round_s = 0.2",
    "rounds = 100\n": "rounds = 100000\nlocal_steps = 1\nbatch_size = 8\n",
    "[overlay]\n": "[network]\nlatent = 9\nhidden = 8\n\n[overlay]\n",
}
"""What makes a file of ``node init`` one of a small network that never ends."""


class Site:
    """An agent's certificate, file and command."""

    def __init__(self, name: str, authority: str, *, connect: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.place = f"127.0.0.1:{free.getsockname()[1]}"
        self.file, self.log = Path(f"{name}.toml"), Path(f"{name}.log")
        issue = ["cert", "issue", name, "--ca", authority, "--host", "127.0.0.1", "--out", "keys"]
        assert main(issue) == 0
        own = ["--name", name, "--certificates", f"keys/{name}", "--listen", self.place]
        data = ["--modalities", "top", "--data", "digits", "--connect", connect]
        assert main(["node", "init", str(self.file), "--defaults", *own, *data]) == 0
        text = self.file.read_text()
        for before, after in CHANGES.items():
            assert before in text
            text = text.replace(before, after)
        self.file.write_text(text)
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        source = str(Path(parse_dfl.__file__).parents[1])
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "parse_dfl", "node", str(self.file)],
                env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
                stderr=log,
            )

    def told(self) -> str:
        """Its log so far."""
        return self.log.read_text()

    def exchanges(self) -> bool:
        """Whether it has mixed with its neighbour."""
        return bool(
            re.search(r"round \d+/100000  [\d.]+ s  1 neighbours(?!.*missing)", self.told())
        )

    def wait(self, until: Callable[[], bool]) -> None:
        """While it runs."""
        assert self._process
        give_up = time.monotonic() + PATIENCE_S
        while not until():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
            assert self._process.returncode is None, self.told()
            assert time.monotonic() < give_up, self.told()

    def end(self, number: signal.Signals | None = None) -> int:
        """Its exit status, after a signal or by itself."""
        assert self._process
        if number:
            self._process.send_signal(number)
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def sites(tmp_path, monkeypatch):
    """Two sites of a federation, and one of another authority that calls itself the same."""
    monkeypatch.chdir(tmp_path)
    for authority in ("ca", "elsewhere"):
        assert main(["cert", "ca", "--federation", "demo", "--out", authority]) == 0
    first = Site("first", "ca")
    second = Site("second", "ca", connect=first.place)
    stranger = Site("stranger", "elsewhere", connect=first.place)
    try:
        yield first, second, stranger
    finally:
        for site in (first, second, stranger):
            site.kill()


def test_two_sites_exchange_refuse_a_stranger_and_go_on_after_a_restart(sites, capsys, monkeypatch):
    first, second, stranger = sites
    for site in sites:
        site.start()
    for site in (first, second):
        site.wait(site.exchanges)
    assert stranger.end() == 2
    assert "no peer accepts this agent" in stranger.told()

    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["node", "status", "second.toml"]) == 0
    status = capsys.readouterr().out
    assert "stranger" not in status
    for name, other in (("first", "second"), ("second", "first")):
        assert re.search(rf"{name} +│ top +│ \d+/100000 +│ \S+: {other} +│", status)

    assert second.end(signal.SIGTERM) == 0
    assert "stops after this round" in second.told()
    done = max(map(int, re.findall(r"round (\d+)/", second.told())))
    second.start()
    second.wait(second.exchanges)
    assert f"goes on after round {done}" in second.told()
