"""Seconds from the command to the end of the first round, and memory once it runs."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.settings import DEFAULT, SIXTEEN, experiment
from benchmarks.peers.watch import descriptors, pss_bytes, watched

PYTHON = [sys.executable, "-m", "parse_dfl"]
PATIENCE_S = 900


def engine(_: str) -> dict[str, Any]:
    """``run --engine peers`` with 16 peers, from outside."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*PYTHON, "run", "--engine", "peers", "--agents", SIXTEEN, "--rounds", "3"]
        begin, cpu = time.monotonic(), _cpu()
        process = subprocess.Popen(
            [*command, "--eval-every", "1", "--out", f"{folder}/x"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert process.stderr
        seconds = next(time.monotonic() - begin for line in process.stderr if "round 1/" in line)
        process.stderr.read()
        process.wait(PATIENCE_S)
    return {"peers": 16, "first_round_seconds": seconds, "cpu_seconds_in_all": _cpu() - cpu}


def commands(_: str) -> dict[str, Any]:
    """16 separate ``parse-dfl node`` commands."""
    with tempfile.TemporaryDirectory() as name:
        folder, names = Path(name), [f"agent-{number}" for number in range(16)]
        sets = ["top"] * 5 + ["bottom"] * 5 + ["bottom+top"] * 6
        for number, agent in enumerate(names):
            _init(folder, agent, sets[number], number)
        begin, cpu = time.monotonic(), _cpu()
        running = [
            subprocess.Popen(
                [*PYTHON, "node", f"{agent}.toml"],
                cwd=folder,
                stderr=(folder / f"{agent}.log").open("w"),
            )
            for agent in names
        ]
        logs = [folder / f"{agent}.log" for agent in names]
        while not all("round 1/" in log.read_text() for log in logs):
            time.sleep(0.1)
            assert time.monotonic() - begin < PATIENCE_S, [log.read_text() for log in logs]
        seconds = time.monotonic() - begin
        memory = [pss_bytes(process.pid) for process in running]
        for process in running:
            process.kill()
            process.wait()
    return {
        "peers": 16,
        "first_round_seconds": seconds,
        "cpu_seconds_in_all": _cpu() - cpu,
        "largest_pss_bytes": max(memory),
    }


def _init(folder: Path, agent: str, modalities: str, number: int) -> None:
    """An insecure agent of the digits; each has all training samples."""
    places = ["--listen", f"127.0.0.1:{17500 + number}"]
    places += ["--connect", "127.0.0.1:17500"] if number else []
    subprocess.run(
        [*PYTHON, "node", "init", f"{agent}.toml", "--defaults", "--insecure", "--name", agent,
         "--modalities", modalities, "--data", "digits", *places],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    path = folder / f"{agent}.toml"
    text = path.read_text().replace("wait_for = 2", "wait_for = 16")
    path.write_text(text.replace("[training]\n", "[training]\nlocal_steps = 2\n"))


def memory(_: str) -> dict[str, Any]:
    """PSS and descriptors of 16 peers of one fleet, after 20 rounds."""
    with watched(experiment(DEFAULT, training__rounds=100)) as watch:
        watch.start()
        watch.wait(lambda: min(watch.rounds.values()) >= 20)
        pids = [watch.fleet.pids[name] for name in watch.names]
        pss = [pss_bytes(pid) for pid in pids]
        return {
            "peers": 16,
            "largest_pss_bytes": max(pss),
            "sum_pss_bytes": sum(pss),
            "descriptors": max(map(descriptors, pids)),
        }


def _cpu() -> float:
    """Processor seconds of all ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
