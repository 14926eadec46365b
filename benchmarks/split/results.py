"""Where the benchmarks of this folder write: a dated JSON file that names the machine."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("results")


def write(name: str, found: dict[str, Any]) -> None:
    """Print ``found`` and write it with date, machine and versions."""
    date = datetime.now(UTC).date().isoformat()
    about = {
        "date": date,
        "machine": f"{platform.machine()}, {_processor()}, one thread",
        "python": platform.python_version(),
        "versions": {each: version(each) for each in ("numpy", "torch")},
    }
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{date}-{name}.json"
    text = json.dumps({**about, **found}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
