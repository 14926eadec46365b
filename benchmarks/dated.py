"""Results of a benchmark as dated JSON files that name the machine."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.speed.machine import processor

LIBRARIES = ("numpy", "scipy", "torch")


def write(folder: Path, name: str, found: dict[str, Any]) -> None:
    """Print ``found`` and write it with date, machine and versions: ``folder/DATE-NAME.json``."""
    date = datetime.now(UTC).date().isoformat()
    about = {
        "date": date,
        "machine": f"{platform.machine()}, {processor()}, one thread",
        "python": platform.python_version(),
        "versions": {each: version(each) for each in LIBRARIES},
    }
    folder.mkdir(exist_ok=True)
    text = json.dumps({**about, **found}, indent=2)
    (folder / f"{date}-{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
