"""Results as Markdown, and the README's section that holds those that are kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

_TIMES = ("inputs", "method", "agents", "part", "simulator ms", "loop ms", "ratio", "CPU ratio")
_MEMORY = ("inputs", "method", "agents", "MiB above the start", "KiB an agent", "exponent")


def render(result: dict[str, Any]) -> str:
    """One measurement as Markdown."""
    m = result["machine"]
    head = (
        f"{m['date']}: {m['processor']}, {m['cores']} cores, {m['memory_gib']} GiB, "
        f"torch {m['torch']}, {m['threads']} thread(s), load {m['load']} at the start."
    )
    times = [
        (
            *(row[name] for name in ("inputs", "method", "agents", "part")),
            f"{1e3 * row['simulator']:.1f}",
            f"{1e3 * row['loop']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['cpu_ratio']:.2f}",
        )
        for row in result["times"]
    ]
    memory = [
        (
            *(row[name] for name in ("inputs", "method", "agents")),
            f"{row['own_bytes'] / 2**20:.1f}",
            f"{row['own_bytes'] / row['agents'] / 2**10:.0f}",
            "" if row["exponent"] is None else f"{row['exponent']:.2f}",
        )
        for row in result["memory"]
    ]
    return "\n\n".join([head, _table(_TIMES, times), _table(_MEMORY, memory)])


def update_readme() -> None:
    """Write every kept result, the newest first, into the README."""
    kept = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"), reverse=True)]
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    body = "\n\n".join(f"### {result['machine']['date']}\n\n{render(result)}" for result in kept)
    README.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}")


def _table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
