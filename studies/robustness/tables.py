"""``results/README.md``: what the recorded cells say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from studies.robustness.cells import RESULTS, load_recipe
from studies.robustness.evaluate import read

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


def honest(row: Row, attackers: Iterable[str]) -> float:
    """Return mean accuracy in percent, over seeds, of all agents but ``attackers``."""
    own = set(attackers)
    values = [
        value
        for seed in row["accuracy"].values()
        for name, value in seed.items()
        if name not in own
    ]
    return 100 * sum(values) / len(values)


def drop(row: Row, rows: list[Row], rule: str = "none") -> float:
    """Return the points that the honest lose against a run of ``rule`` in which nobody lies.

    Both are of the same agents of the same set on the same overlay.
    """
    quiet = next(
        other for other in rows
        if not other["attack"] and other["rule"] == rule
        and all(other[place] == row[place] for place in ("set", "topology"))
    )  # fmt: skip
    return honest(quiet, row["liar_names"]) - honest(row, row["liar_names"])


def breaks_at(own: Mapping[int, Row], rows: list[Row]) -> str:
    """Return the fewest attackers that cost the honest more than :data:`LOST` points.

    In words if none do.
    """
    if not own:
        return "missing"
    if all("refused" in row for row in own.values()):
        return "ill-posed"
    broken = [number for number, row in own.items() if drop(row, rows) > LOST]
    return str(broken[0]) if broken else "none"


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
    rules = _rules(rows)
    lines = [
        "## Two unimodal attackers of different modalities, full overlays\n\n"
        "Accuracy of the honest in percent, and in brackets the points that they lose against the "
        f"plain mean when nobody lies; {_stamp(rows)}.\n",
        "| set | attack | " + " | ".join(map(_shown, rules)) + " |",
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
    attacks = [attack for attack in recipe["places"]["attacks"] if attack]
    head = (
        "## Other placements, numbers and overlays\n\n"
        f"Digits, iid; {_stamp(rows)}. A rule *breaks at* k attackers if k are the fewest at "
        "which the "
        f"honest lose more than {LOST:g} points against the plain mean on the same overlay when "
        "nobody lies.\n\n"
    )
    parts = [head + _breakdown(recipe, rows, attacks)]
    parts += [_losses(recipe, rows, attack) for attack in attacks]
    return "\n\n".join(parts)


def _breakdown(recipe: Row, rows: list[Row], attacks: list[str]) -> str:
    """Return a row an overlay and placement, a column a rule; one number if all attacks agree."""
    rules = _rules(rows)
    lines = [
        f"### Breaks at so many attackers, under {' · '.join(attacks)}\n",
        "| overlay | attackers | tried up to | " + " | ".join(map(_shown, rules)) + " |",
        "|---|---|---|" + "---|" * len(rules),
    ]
    for topology, (placement, numbers) in product(
        recipe["places"]["topologies"], recipe["places"]["placements"].items()
    ):
        told = []
        for rule in rules:
            points = [breaks_at(_own(rows, topology, placement, rule, a), rows) for a in attacks]
            told.append(points[0] if len(set(points)) == 1 else " · ".join(points))
        lines.append(f"| {topology} | {placement} | {max(numbers)} | {' | '.join(told)} |")
    return "\n".join(lines)


def _losses(recipe: Row, rows: list[Row], attack: str) -> str:
    numbers = sorted({number for own in recipe["places"]["placements"].values() for number in own})
    lines = [
        f"### Points that the honest lose, {attack}\n",
        "| overlay | attackers | rule | " + " | ".join(map(str, numbers)) + " |",
        "|---|---|---|" + "---|" * len(numbers),
    ]
    for topology, placement, rule in product(
        recipe["places"]["topologies"], recipe["places"]["placements"], _rules(rows)
    ):
        own = _own(rows, topology, placement, rule, attack)
        shown = ["" if n not in own else _lost(own[n], rows) for n in numbers]
        lines.append(f"| {topology} | {placement} | {_shown(rule)} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _own(
    rows: list[Row], topology: str, placement: str, rule: str, attack: str
) -> Mapping[int, Row]:
    """Return the cells of so many attackers, by number."""
    asked = (topology, placement, rule, attack)
    return {
        row["attackers"]: row for row in sorted(rows, key=lambda row: row["attackers"])
        if (row["topology"], row["placement"], row["rule"], row["attack"]) == asked
    }  # fmt: skip


def _lost(row: Row, rows: list[Row]) -> str:
    return "ill-posed" if "refused" in row else f"{drop(row, rows):.1f}"


def _rules(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["rule"] for row in rows))


def _shown(rule: str) -> str:
    return "plain mean" if rule == "none" else rule


def _stamp(rows: list[Row]) -> str:
    dates = sorted({row["date"] for row in rows})
    machines = sorted({row["machine"] for row in rows})
    return f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}, {', '.join(machines)}"
