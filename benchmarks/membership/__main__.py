"""``python -m benchmarks.membership``: the load of membership from 100 to 100,000 agents."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.membership.simulate import Setting, as_row

RESULTS = Path(__file__).parent / "results"
SIZES = (100, 1_000, 10_000, 100_000)


def main() -> None:
    """Simulate every size, and write the result and its table."""
    rows: list[dict[str, Any]] = []
    for agents in SIZES:
        begin = time.perf_counter()
        rows.append(as_row(Setting(agents=agents)))
        print(agents, f"{time.perf_counter() - begin:.0f} s", flush=True)
    day = datetime.now(UTC).date().isoformat()
    text = json.dumps({"date": day, "rows": rows}, indent=1)
    (RESULTS / f"{day}.json").write_text(f"{text}\n", encoding="utf-8")
    (RESULTS / "README.md").write_text(f"# Results, {day}\n\n{table(rows)}\n", encoding="utf-8")
    print(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| agents | view | connections | known (most) | notices/s | kB/s | wrong neighbour |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for name in ("full", "buckets"):
            load = row[name]
            lines.append(
                f"| {row['agents']:,} | {name} | {load['connections']:,.0f} "
                f"| {load['known']:,.0f} ({load['known_most']:,.0f}) "
                f"| {load['notices_per_second']:.2f} | {load['bytes_per_second'] / 1000:,.1f} "
                f"| {100 * load['wrong_neighbour_share']:.2f} % |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
