"""The tables of an audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parse_dfl.report.audits import Audit, Reading
from parse_dfl.report.grid import MISSING, Cell, Grid
from parse_dfl.report.units import percent


def readings_grid(audit: Audit) -> Grid:
    """A row per representation, the data first, a column per target: read right, in percent."""
    targets = list(audit.chance)
    rows = [
        _row(f"data {name}", [found[target] for target in targets])
        for name, found in audit.raw.items()
    ]
    for group, found in audit.groups.items():
        for name, reads in found.reads.items():
            rows += _reading_rows(f"{group}: {name}", [reads[target] for target in targets])
    rows.append(_row("chance", [audit.chance[target] for target in targets]))
    agents = sum(len(found.agents) for found in audit.groups.values())
    return Grid(
        title=f"What probes read from slices: {audit.method} on {audit.data}, in percent",
        header=("read from", *targets),
        rows=tuple(rows),
        notes=(
            f"Means over {agents} agents, on {audit.samples['report']:.0f} {audit.evaluated_on} "
            f"samples; probes are fitted on {audit.samples['fit']:.0f} others that no agent owns.",
            "a,b: two modalities side by side; a+b: fused.",
        ),
    )


def removal_grid(audit: Audit) -> Grid:
    """What the prediction owes to each slice: a row per group and slice."""
    rows = []
    for group, found in audit.groups.items():
        parts = found.accuracy
        rows.append(_row(group, [parts.joint, None, parts.synergy_score, parts.spoilt]))
        if parts.noiseless is not None:
            rows.append(_row(f"{group}: noiseless", [parts.noiseless, None, None, None]))
        rows += [
            _row(f"{group}: {name}", [alone, parts.without.get(name), None, None])
            for name, alone in parts.alone.items()
        ]
    return Grid(
        title="What predictions owe to each slice, in percent",
        header=("agents: slice alone", "accuracy", "without it", "synergy score", "spoilt"),
        rows=tuple(rows),
        notes=(
            "Synergy score: right, though every single modality is wrong; spoilt: the other way.",
        ),
    )


def _reading_rows(name: str, reads: Sequence[Reading]) -> Iterable[tuple[Cell, ...]]:
    yield _row(name, [one.accuracy for one in reads])
    if any(one.noiseless is not None for one in reads):
        yield _row("  noiseless", [one.noiseless for one in reads])


def _row(name: str, values: Iterable[float | None]) -> tuple[Cell, ...]:
    texts = (MISSING if value is None else percent(value) for value in values)
    return (Cell(text=name), *(Cell(text=text) for text in texts))
