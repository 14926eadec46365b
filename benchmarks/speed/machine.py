"""Where and when numbers were taken."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import torch


class Machine(TypedDict):
    """A machine and what ran on it."""

    date: str
    device: str
    processor: str
    cores: int
    memory_gib: float
    load: float  # running processes when the measurement began
    threads: int
    torch: str
    python: str


class Others:
    """How many cores other processes kept busy since this was made, on average."""

    def __init__(self) -> None:
        self._begin, self._used = time.perf_counter(), _used_by_others()

    def cores(self) -> float:
        """Until now; 0 on systems that do not tell."""
        seconds = time.perf_counter() - self._begin
        return max(0.0, (_used_by_others() - self._used) / seconds)


def _used_by_others() -> float:
    """Seconds of all cores but those of this process and its ended children."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, path.read_text().split()[1:9])
    own = os.times()
    used = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return used - (own.user + own.system + own.children_user + own.children_system)


def machine(device: str = "cpu") -> Machine:
    """This machine, now; its processor or, for another device, that."""
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        device=device,
        processor=processor() if device == "cpu" else torch.cuda.get_device_name(device),
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        load=round(os.getloadavg()[0], 1),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
    )


def processor() -> str:
    """The processor by name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
