"""Results as Markdown, and the README's section that holds the newest of each kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.growth import Cost, exponent
from benchmarks.speed.store import RESULTS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
Row = dict[str, Any]

_IDENTITY = ("inputs", "method", "agents")
_ROUNDS = (*_IDENTITY, "ms", "loop ms", "× loop", "CPU ×", "roofline ms", "of it", "of the least")
_EVALUATIONS = (*_IDENTITY, "ms", "loop ms", "× loop", "CPU ×")
_GROWTH = ("", "ms a round", "exp.", "of roofline", "MiB", "exp.", "MB sent")
_SHARES = ("", "training", "data", "mixing", "evaluation")
_STARTUP = ("", "median s", "longest s", "repeats")
_RIVALS = ("MLP", "agents", "package", "compiled", "its ms", "simulator ms", "× faster")


def render(result: Row) -> str:
    """One measurement as Markdown."""
    parts = [_head(result)]
    if result.get("startup"):
        parts += ["From the start of the process:", _table(_STARTUP, map(_wait, result["startup"]))]
    times = result.get("times", [])
    if times:
        rounds = [_round(row) for row in times if row["part"] == "round"]
        evaluations = [_pair(row) for row in times if row["part"] == "evaluation"]
        parts += ["A round:", _table(_ROUNDS, rounds)]
        parts += ["An evaluation:", _table(_EVALUATIONS, evaluations)]
    if result.get("growth"):
        parts += ["Growth:", _table(_GROWTH, _grown(result["growth"]))]
        parts += [
            "Shares of a run's time that evaluates every ten rounds:",
            _table(_SHARES, [_share(row) for row in result["growth"]]),
        ]
    if result.get("rivals"):
        parts += ["Other packages:", _table(_RIVALS, [_duel(row) for row in result["rivals"]])]
    return "\n\n".join(parts)


def update_readme() -> None:
    """Write the newest result of every measurement into the README, by number of threads and part;
    those that were taken together stand together."""
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    sections = [
        "\n\n".join([f"### {_TITLES[part]}, {where}", *blocks])
        for (where, part), blocks in sorted(_newest().items())
    ]
    body = "\n\n".join(sections)
    README.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}")


def _newest() -> dict[tuple[str, str], list[str]]:
    """What is newest, rendered, run by run: the latest run first, then what it did not measure."""
    found: dict[tuple[str, str], list[str]] = {}
    seen: set[tuple[object, ...]] = set()
    for result in reversed(kept()):
        where = _where(result["machine"])
        for part, identity in _IDENTITIES.items():
            keys = [(where, part, *map(row.get, identity)) for row in result.get(part, [])]
            rows = [
                row for key, row in zip(keys, result.get(part, []), strict=True) if key not in seen
            ]
            seen.update(keys)
            if rows:
                own = {"machine": result["machine"], part: rows}
                found.setdefault((where, part), []).append(render(own))
    return found


def _where(machine: Row) -> str:
    """What results must have in common to stand in one section."""
    threads = machine["threads"]
    told = f"{threads} thread{'s' * (threads > 1)}"
    return told if machine.get("device", "cpu") == "cpu" else f"{machine['processor']}, {told}"


_IDENTITIES = {
    "startup": ("what",),
    "times": ("inputs", "method", "agents", "part"),
    "growth": ("series", "size"),
    "rivals": ("rival", "features", "agents"),
}
_TITLES = {"startup": "Startup", "times": "Times", "growth": "Growth", "rivals": "Other packages"}


def kept() -> list[Row]:
    """Every result of the benchmark as it is now, the oldest first."""
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    return [result for result in results if "memory" not in result]  # that was its former shape


def series(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of the growth part by the series that they belong to."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["series"], []).append(row)
    return found


def cost(row: Row) -> Cost:
    """The measurement in a row of the growth part."""
    return Cost(**{name: row[name] for name in Cost.__dataclass_fields__})


def _head(result: Row) -> str:
    m = result["machine"]
    rows = [row for part in _TITLES for row in result.get(part, [])]
    others = max((row.get("others", 0.0) for row in rows), default=0.0)
    return (
        f"{m['date']}: {m['processor']}, {m['cores']} cores, {m['memory_gib']} GiB, "
        f"torch {m['torch']}, {m['threads']} thread(s); meanwhile other "
        f"processes used at most {others:.2f} cores."
    )


def _wait(row: Row) -> list[object]:
    return [row["what"], f"{row['median_s']:.2f}", f"{row['longest_s']:.2f}", row["repeats"]]


def _pair(row: Row) -> list[object]:
    return [
        *(row[name] for name in _IDENTITY),
        _ms(row["simulator"]),
        _ms(row["loop"]),
        f"{row['ratio']:.2f}",
        f"{row['cpu_ratio']:.2f}",
    ]


def _round(row: Row) -> list[object]:
    own = row["simulator"]
    return [
        *_pair(row),
        _ms(row["roofline"]),
        f"{row['roofline'] / own:.0%}",
        f"{row['least'] / own:.0%}",
    ]


def _grown(rows: Iterable[Row]) -> Iterator[list[object]]:
    for name, own in series(rows).items():
        before: Row | None = None
        for row in own:
            now = cost(row)
            growth = ["", ""]
            if before is not None:
                sizes = (before["size"], row["size"])
                past = cost(before)
                growth = [
                    f"{exponent(sizes, (past.round, now.round)):.2f}",
                    f"{exponent(sizes, (past.own_bytes, now.own_bytes)):.2f}",
                ]
            limit = "" if now.roofline is None else f"{now.roofline / now.round:.0%}"
            yield [
                f"{name}: {row['size']}",
                _ms(now.round),
                growth[0],
                limit,
                f"{now.own_bytes / 2**20:.0f}",
                growth[1],
                f"{now.payload_bytes / 1e6:.1f}",
            ]
            before = row


def _share(row: Row) -> list[object]:
    shares = cost(row).shares()
    return [f"{row['series']}: {row['size']}", *(f"{value:.0%}" for value in shares.values())]


def _duel(row: Row) -> list[object]:
    compiled = "yes" if row.get("compiled") else ""
    own: list[object] = [f"{row['features']}-128-10", row["agents"], row["rival"], compiled]
    if "failed" in row:
        return [*own, row["failed"], "", ""]
    return [*own, _ms(row["rival_seconds"]), _ms(row["simulator"]), f"{row['ratio']:.1f}"]


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def _table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
