"""Where results lie, and what is written beside them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from parse_dfl import __version__

RESULTS = Path(__file__).parent / "results"


def stamp() -> dict[str, Any]:
    """The date, the version and the machine."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "version": __version__,
        "machine": {
            "cores": os.cpu_count(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        },
    }


def write(name: str, found: dict[str, Any]) -> None:
    """``results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(name, json.dumps(found.get("summary", found.get("accuracy", "")), indent=1), flush=True)
