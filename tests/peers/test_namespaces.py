"""Two hosts, as network namespaces, with delay and loss between them, and a cut that heals."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import parse_dfl

PATIENCE_S = 240
LINK = "pd{}"
SPACE = f"parse-dfl-{os.getpid()}-{{}}"
ADDRESS = "10.77.0.{}"
AGENTS = {"l0": 1, "l1": 1, "r0": 2, "r1": 2}
"""Agent → its host."""

FILE = """
[node]
name = "{name}"
modalities = "{modalities}"
federation = "demo"
listen = ["{listen}"]
connect = [{connect}]
wait_for = 4

[data]
data = "digits"

[network]
latent = 9
hidden = 8

[training]
rounds = 100000
local_steps = 1
batch_size = 8

[overlay]
topology = "full"

[peer]
insecure = true
deadline_s = 2.0
lease_s = 3.0
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def reason_to_skip():
    """Why namespaces cannot be made here; empty where they can."""
    if sys.platform != "linux" or not shutil.which("ip"):
        return "needs Linux and iproute2"
    try:
        ip("netns", "add", SPACE.format(0))
        ip("netns", "del", SPACE.format(0))
    except (subprocess.CalledProcessError, OSError):
        return "needs the right to make network namespaces (root)"
    return ""


@pytest.fixture
def hosts():
    """Two namespaces and a cable between them: 20 ms, 1 % loss."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    names = [SPACE.format(1), SPACE.format(2)]
    try:
        for name in names:
            ip("netns", "add", name)
        ends = ["link", "add", LINK.format(1), "netns", names[0], "type", "veth"]
        ip(*ends, "peer", "name", LINK.format(2), "netns", names[1])
        for number, name in enumerate(names, start=1):
            ip(
                "-n",
                name,
                "addr",
                "add",
                f"{ADDRESS.format(number)}/24",
                "dev",
                LINK.format(number),
            )
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", LINK.format(number), "up")
        delay = ["qdisc", "add", "dev", LINK.format(1), "root", "netem", "delay", "20ms"]
        tc = ["ip", "netns", "exec", names[0], "tc", *delay, "loss", "1%"]
        subprocess.run(tc, check=False, capture_output=True)  # kernels without netem: no delay
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


class Agents:
    """A node command an agent, each in the namespace of its host."""

    def __init__(self, folder: Path, hosts: list[str]) -> None:
        self.folder, self.hosts = folder, hosts
        self.places = {
            name: f"{ADDRESS.format(host)}:{7450 + number}"
            for number, (name, host) in enumerate(AGENTS.items())
        }
        self.running: dict[str, subprocess.Popen] = {}

    def start(self, name: str) -> None:
        others = [f'"{place}"' for other, place in self.places.items() if other != name]
        text = FILE.format(
            name=name,
            modalities="bottom+top" if name.endswith("0") else "top",
            listen=self.places[name],
            connect=", ".join(others),
        )
        (self.folder / f"{name}.toml").write_text(text)
        source = str(Path(parse_dfl.__file__).parents[1])
        with (self.folder / f"{name}.log").open("w") as log:
            self.running[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.hosts[AGENTS[name] - 1],
                 sys.executable, "-m", "parse_dfl", "node", f"{name}.toml"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
                stderr=log,
            )  # fmt: skip

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_for_neighbours(self, count: int) -> None:
        """Wait until each exchanged with so many in a round that has not been told of yet."""
        seen = {name: len(self.log(name)) for name in AGENTS}
        give_up = time.monotonic() + PATIENCE_S
        pattern = re.compile(rf"round \d+/\d+  [\d.]+ s  {count} neighbours(?!.*missing)")
        waiting = set(AGENTS)
        while waiting:
            waiting -= {name for name in waiting if pattern.search(self.log(name)[seen[name] :])}
            for process in self.running.values():
                assert process.poll() is None, {name: self.log(name)[-500:] for name in AGENTS}
            assert time.monotonic() < give_up, {name: self.log(name)[-300:] for name in waiting}
            with suppress(subprocess.TimeoutExpired):
                self.running["l0"].wait(0.1)
            os.sched_yield()

    def stop(self) -> list[int]:
        """Stop all by SIGTERM; their exit statuses."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return [process.wait(PATIENCE_S) for process in self.running.values()]


def test_a_cut_parts_the_federation_and_it_joins_again(hosts, tmp_path):
    agents = Agents(tmp_path, hosts)
    try:
        for name in AGENTS:
            agents.start(name)
        agents.wait_for_neighbours(3)
        ip("-n", hosts[1], "link", "set", LINK.format(2), "down")
        agents.wait_for_neighbours(1)
        ip("-n", hosts[1], "link", "set", LINK.format(2), "up")
        agents.wait_for_neighbours(3)
        assert agents.stop() == [0] * len(AGENTS)
    finally:
        for process in agents.running.values():
            process.kill()
            process.wait()
    for name in AGENTS:
        assert (tmp_path / name / "checkpoint.safetensors").exists()
