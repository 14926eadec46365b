"""Write results as small JSON files that say when, by which version and on what they were made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from parse_dfl import __version__
from parse_dfl.io import write_atomically


def today() -> str:
    """Return the date in UTC, as in 2026-11-25."""
    return datetime.now(UTC).date().isoformat()


def provenance(**machine: Any) -> dict[str, Any]:
    """Return date, version and machine, for every result; ``machine`` is added to the last."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    described = {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    return {"date": today(), "version": __version__, "machine": described | machine}


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write ``result`` as JSON, whole or not at all, into a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(result, indent=1) + "\n").encode())


def read_result(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``."""
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def run_once(path: Path, measure: Callable[[], Mapping[str, Any]]) -> None:
    """Write what ``measure`` returns, unless ``path`` already exists."""
    if not path.exists():
        result = measure()
        write_result(path, result)
        print(path.stem, json.dumps(result.get("summary", result.get("accuracy", ""))), flush=True)
