"""The tables of an audit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from parse_dfl.report.audits import Atoms, Audit, GroupAudit, Purity, Reading, Slices
from parse_dfl.report.formatting import percent
from parse_dfl.report.table import MISSING, Cell, Grid

NOISELESS = "  noiseless"


def readings_grid(audit: Audit) -> Grid:
    """A row per representation, the data first, a column per target: read right, in percent."""
    targets = list(audit.chance)
    rows = [
        _row(f"data {name}", map(_percent, (found[target] for target in targets)))
        for name, found in audit.raw.items()
    ]
    for group, found in audit.groups.items():
        for name, reads in found.reads.items():
            shown = f"{group}: {_short(group, name)}"
            rows += _reading_rows(shown, [reads[target] for target in targets])
    rows.append(_row("chance", map(_percent, audit.chance.values())))
    agents = sum(len(found.agents) for found in audit.groups.values())
    return Grid(
        title=f"What probes read from slices: {audit.method} on {audit.data}, in percent",
        header=("read from", *targets),
        rows=tuple(rows),
        notes=(
            f"Means over {agents} agents, on {audit.samples['report']:.0f} {audit.evaluated_on} "
            f"samples; probes are fitted on {audit.samples['fit']:.0f} others, which no agent "
            "owns.",
            "a,b: two modalities side by side; a+b: fused.",
        ),
    )


def purity_grid(audit: Audit) -> Grid | None:
    """A row per slice: its own label bits and the others; only where true factors are known."""
    rows: list[tuple[Cell, ...]] = []
    for group, found in audit.groups.items():
        for name, (through, noiseless) in found.purity.items():
            rows.append(_purity_row(f"{group}: {_short(group, name)}", through))
            if noiseless:
                rows.append(_purity_row(NOISELESS, noiseless))
    if not rows:
        return None
    return Grid(
        title="How purely slices hold their label bits, in percent",
        header=("slice", "own bits, at least", "others, at most", "the worst"),
        rows=tuple(rows),
        notes=("A pure slice reads 100 and 50: chance is 50 for a bit.",),
    )


def bits_grid(audit: Audit) -> Grid | None:
    """A row per pair of slices: the decomposition about the label, in bits; the data first."""
    rows = [_bits_row(f"data {pair}", atoms) for pair, atoms in audit.raw_bits.items()]
    for group, found in audit.groups.items():
        for name, atoms in found.slices.bits.items():
            rows.append(_bits_row(f"{group}: {name}", atoms))
            if found.noiseless:
                rows.append(_bits_row(NOISELESS, found.noiseless.bits[name]))
    for pair in audit.across:
        for kind, atoms in pair.bits.items():
            rows.append(_bits_row(f"{' and '.join(pair.agents)}: {kind}", atoms))
    if not rows:
        return None
    return Grid(
        title="Bits about the label",
        header=("of", "redundant", "unique", "unique", "synergistic", "total"),
        rows=tuple(rows),
        notes=(
            "The two unique columns are of the first and the second modality.",
            *(f"Doubt: {warning}." for warning in _each_kind(audit.warnings)),
        ),
    )


def contribution_grid(audit: Audit) -> Grid:
    """What the prediction owes to each slice: a row per group and slice, in percent."""
    rows = []
    for group, found in audit.groups.items():
        parts = found.accuracy
        rows.append(_percents(group, parts.joint, None, parts.synergy_score, parts.spoilt))
        if parts.noiseless is not None:
            rows.append(_percents(NOISELESS, parts.noiseless, None, None, None))
        rows += [
            _percents(f"{group}: {name}", alone, parts.without.get(name), None, None)
            for name, alone in parts.alone.items()
        ]
    return Grid(
        title="What predictions owe to each slice, in percent",
        header=("agents; a slice alone", "accuracy", "without it", "synergy score", "spoilt"),
        rows=tuple(rows),
        notes=(
            "Synergy score: right, though every single modality is wrong; spoilt: the reverse.",
        ),
    )


def predictability_grid(audit: Audit) -> Grid | None:
    """How well one modality's slice predicts the other's: held-out R²."""
    rows: list[tuple[Cell, ...]] = []
    for group, found in audit.groups.items():
        rows += _measure_rows(f"{group}: ", found, "predictability", str)
    for pair in audit.across:
        for name, values in pair.predictability.items():
            rows.append(_row(f"{' and '.join(pair.agents)}: {name}", _two_digits(values.values())))
    if not rows:
        return None
    return Grid(
        title="How well a slice predicts the other modality's: R²",
        header=("slice", "linear", "network", "beyond the label"),
        rows=tuple(rows),
        notes=("1 is perfect, 0 no better than the mean.",),
    )


def dependence_grid(audit: Audit) -> Grid | None:
    """How dependent the slices of one modality are."""
    rows: list[tuple[Cell, ...]] = []
    for group, found in audit.groups.items():
        rows += _measure_rows(f"{group}: ", found, "dependence", _pair_of_slices)
    if not rows:
        return None
    return Grid(
        title="How dependent the slices of one modality are: kernel alignment, 0 to 1",
        header=("slices", "alignment", "chance", "by label"),
        rows=tuple(rows),
        notes=(
            "Above chance (95 % of permutations): dependent. By label: what is left when samples "
            "are permuted within classes.",
        ),
    )


def _each_kind(warnings: Iterable[str]) -> Iterable[str]:
    """The last of those warnings that differ in their numbers alone."""
    return {re.sub(r"\d+(\.\d+)?", "#", warning): warning for warning in sorted(warnings)}.values()


def _measure_rows(
    prefix: str, found: GroupAudit, measure: str, shown: Callable[[str], str]
) -> Iterator[tuple[Cell, ...]]:
    for name, values in _measures(found.slices, measure).items():
        yield _row(f"{prefix}{shown(name)}", _two_digits(values.values()))
        if found.noiseless:
            yield _row(NOISELESS, _two_digits(_measures(found.noiseless, measure)[name].values()))


def _short(group: str, name: str) -> str:
    """``synergistic.a`` for ``synergistic.a+b.a`` where a and b are all that there is."""
    return name.replace(f"synergistic.{group}.", "synergistic.")


def _pair_of_slices(name: str) -> str:
    """``a: redundant, synergistic`` for ``redundant.a synergistic.a+b.a``."""
    first, second = (one.rpartition(".") for one in name.split())
    return f"{first[2]}: {first[0].partition('.')[0]}, {second[0].partition('.')[0]}"


def _measures(slices: Slices, measure: str) -> dict[str, dict[str, float]]:
    return dict(getattr(slices, measure))


def _reading_rows(name: str, reads: Sequence[Reading]) -> Iterable[tuple[Cell, ...]]:
    yield _percents(name, *(one.accuracy for one in reads))
    if any(one.noiseless is not None for one in reads):
        yield _percents(NOISELESS, *(one.noiseless for one in reads))


def _purity_row(name: str, found: Purity) -> tuple[Cell, ...]:
    return _row(name, (_percent(found.own), _percent(found.other), found.worst or MISSING))


def _bits_row(name: str, atoms: Atoms) -> tuple[Cell, ...]:
    values = (atoms.redundant, *atoms.unique.values(), atoms.synergistic, atoms.total)
    return _row(name, _two_digits(values))


def _percents(name: str, *values: float | None) -> tuple[Cell, ...]:
    return _row(name, map(_percent, values))


def _row(name: str, texts: Iterable[str]) -> tuple[Cell, ...]:
    return (Cell(text=name), *(Cell(text=text) for text in texts))


def _percent(value: float | None) -> str:
    return MISSING if value is None else percent(value)


def _two_digits(values: Iterable[float]) -> Iterator[str]:
    return (f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−") for value in values)
