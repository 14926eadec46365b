"""``results/README.md``: what the recorded cells say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.robust.cells import RESULTS, load_recipe
from benchmarks.robust.evaluate import read

LOST = 3.0
"""Points below no attack at which a rule counts as broken."""

Row = Mapping[str, Any]


def write_tables() -> None:
    """Write and print all tables."""
    recipe = load_recipe()
    parts = [_tuning(recipe), _attacks(), _places(recipe)]
    text = "\n\n".join(part for part in parts if part)
    (RESULTS / "README.md").write_text(f"# Results\n\n{text}\n", encoding="utf-8")
    print(text)


def honest(row: Row, liars: Iterable[str]) -> float:
    """Mean accuracy in percent, over seeds, of all agents but ``liars``."""
    own = set(liars)
    values = [
        value
        for seed in row["accuracy"].values()
        for name, value in seed.items()
        if name not in own
    ]
    return 100 * sum(values) / len(values)


def drop(row: Row, rows: list[Row], rule: str = "none") -> float:
    """Points that the honest lose against a run of ``rule`` in which nobody lies: the same agents
    of the same set on the same overlay."""
    quiet = next(
        other for other in rows
        if not other["attack"] and other["rule"] == rule
        and all(other[place] == row[place] for place in ("set", "topology"))
    )  # fmt: skip
    return honest(quiet, row["liar_names"]) - honest(row, row["liar_names"])


def _tuning(recipe: Row) -> str:
    rows = read("tune")
    if not rows:
        return ""
    lines = [
        f"## Choice of parameters\n\nHonest accuracy on validation data, %, {_stamp(rows)}.\n",
        "| rule | "
        + " | ".join(f"{s}: {a or 'nobody lies'}" for s, a in _columns(rows))
        + " | mean |",
        "|---|" + "---|" * (len(_columns(rows)) + 1),
    ]
    for rule in dict.fromkeys(row["rule"] for row in rows):
        own = {(r["set"], r["attack"]): r for r in rows if r["rule"] == rule and "accuracy" in r}
        values = [honest(own[c], own[c]["liar_names"]) for c in _columns(rows) if c in own]
        mean = sum(values) / len(values)
        chosen = "**" if rule in recipe.get("rules", {}).values() else ""
        shown = " | ".join(f"{value:.1f}" for value in values)
        lines.append(f"| {chosen}{rule}{chosen} | {shown} | {mean:.2f} |")
    return "\n".join(lines)


def _columns(rows: list[Row]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["set"], row["attack"]) for row in rows))


def _attacks() -> str:
    rows = read("attacks")
    if not rows:
        return ""
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    lines = [
        "## Two unimodal liars of different modalities, full overlays\n\n"
        "Accuracy of the honest in percent, and in brackets the points that they lose against the "
        f"plain mean when nobody lies; {_stamp(rows)}.\n",
        "| set | attack | " + " | ".join("plain mean" if r == "none" else r for r in rules) + " |",
        "|---|---|" + "---|" * len(rules),
    ]
    for name, attack in _columns(rows):
        shown = []
        for rule in rules:
            found = [r for r in rows if (r["set"], r["attack"], r["rule"]) == (name, attack, rule)]
            shown.append(_cell(found, rows))
        lines.append(f"| {name} | {attack or 'nobody lies'} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _cell(found: list[Row], rows: list[Row]) -> str:
    if not found:
        return "missing"
    row = found[0]
    if "refused" in row:
        return "ill-posed"
    return f"{honest(row, row['liar_names']):.1f} ({-drop(row, rows):+.1f})"


def _places(recipe: Row) -> str:
    rows = read("places")
    if not rows:
        return ""
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    placements = recipe["places"]["placements"]
    numbers = sorted({number for own in placements.values() for number in own})
    lines = [
        "## Other placements, numbers and overlays\n\n"
        f"Digits, iid, sign-flip; points that the honest lose with {numbers[0]} to {numbers[-1]} "
        "liars against the plain mean on the same overlay when nobody lies, and the breakdown "
        f"point: the fewest liars at which they lose more than {LOST:g}; {_stamp(rows)}.\n",
        "| overlay | liars | rule | "
        + " | ".join(str(number) for number in numbers)
        + " | breaks at |",
        "|---|---|---|" + "---|" * (len(numbers) + 1),
    ]
    for topology in recipe["places"]["topologies"]:
        for placement in placements:
            for rule in rules:
                own = {
                    row["liars"]: row for row in rows
                    if (row["topology"], row["placement"], row["rule"])
                    == (topology, placement, rule)
                }  # fmt: skip
                lines.append(
                    f"| {topology} | {placement} | {'plain mean' if rule == 'none' else rule} | "
                    + _line(own, rows, numbers)
                )
    return "\n".join(lines)


def _line(own: Mapping[int, Row], rows: list[Row], numbers: list[int]) -> str:
    if any("refused" in row for row in own.values()):
        return "ill-posed | " * len(numbers) + "– |"
    lost = {number: drop(row, rows) for number, row in own.items()}
    broken = [number for number in numbers if lost.get(number, 0.0) > LOST]
    shown = " | ".join(f"{lost[n]:.1f}" if n in lost else "" for n in numbers)
    return f"{shown} | {broken[0] if broken else f'more than {max(lost, default=0)}'} |"


def _stamp(rows: list[Row]) -> str:
    dates = sorted({row["date"] for row in rows})
    machines = sorted({row["machine"] for row in rows})
    return f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}, {', '.join(machines)}"
