"""Tabulate what runs measure beside accuracy: gradient conflict, and audits of slices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from parse_dfl.io import read_lines, read_record
from parse_dfl.records import (
    AUDIT,
    CONFLICT,
    Audit,
    ConflictLine,
    Decomposition,
    GroupAudit,
    Purity,
    SliceMeasures,
)
from parse_dfl.report.collection import Collection, Record
from parse_dfl.report.formatting import MISSING, Entry, Table, entries, percent
from parse_dfl.report.load import Run, ordered_groups

ALL_BRANCHES = "all"
SAMPLES = ("own", "held-out")
UNI_MULTI, EQUAL = "uni-multi", "equal"
CONFLICT_COLUMNS = [(pairs, samples) for pairs in (UNI_MULTI, EQUAL) for samples in SAMPLES]
CONFLICT_HEADER = [f"{pairs}, {samples}" for pairs, samples in CONFLICT_COLUMNS]
NOISELESS = "  noiseless"

Series = Mapping[int, tuple[float, float]]
"""Round → share of pairs whose cosine is below 0, and the mean cosine."""
Row = tuple[Entry, ...]


def read_conflicts(run: Run) -> tuple[ConflictLine, ...]:
    """Read the gradient conflicts of a run; none where it recorded none.

    Raises:
        RecordError: the file is damaged.
    """
    return read_lines(run.directory / CONFLICT, ConflictLine, finished=run.summary is not None)


def conflicts_of(record: Record) -> dict[str, list[ConflictLine]]:
    """Return each method's lines of all its runs; methods without any are left out.

    Raises:
        RecordError: a file is damaged.
    """
    by_method: dict[str, list[ConflictLine]] = {}
    for part in record.comparisons if isinstance(record, Collection) else (record,):
        for method, runs in part.runs.items():
            lines = [line for run in runs for line in read_conflicts(run)]
            if lines:
                by_method.setdefault(method, []).extend(lines)
    return by_method


def conflict_series(
    lines: Iterable[ConflictLine], *, samples: str, pairs: str, branch: str = ALL_BRANCHES
) -> Series:
    """Return one kind of pairs over rounds: means over seeds and comparisons."""
    by_round: dict[int, list[tuple[float, float]]] = {}
    for line in lines:
        if (line.samples, line.pairs, line.branch) == (samples, pairs, branch):
            by_round.setdefault(line.round, []).append((line.negative_share, line.mean_cosine))
    return {number: _means(values) for number, values in sorted(by_round.items())}


def over_rounds(series: Series) -> tuple[float, float] | None:
    """Return the means over the recorded rounds; None without any."""
    return _means(list(series.values())) if series else None


def _means(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    shares, cosines = zip(*values, strict=True)
    return float(np.mean(shares)), float(np.mean(cosines))


def conflict_table(record: Record) -> Table | None:
    """Return a row per method: conflicting pairs over all branches that a pair shares."""
    rows = [
        entries((method, *_conflict_row(lines, ALL_BRANCHES)))
        for method, lines in conflicts_of(record).items()
    ]
    if not rows:
        return None
    return Table(
        title="Gradient conflict on shared parameters",
        header=("method", *CONFLICT_HEADER),
        rows=tuple(rows),
        notes=(
            "Share of pairs whose gradients' cosine is below 0, and the mean cosine, averaged over "
            "the evaluated rounds and seeds. A pair shares an overlay, both stand at its mean "
            "parameters, and the cosine is over all branches that the two share.",
            "own: each on its own samples. held-out: both on the same samples of the training "
            "part. uni-multi: a uni- and a multimodal agent. equal: equal modality sets.",
        ),
    )


def branch_conflict_table(record: Record) -> Table | None:
    """Return the same branch by branch."""
    rows = [
        entries((f"{method} · {branch}", *_conflict_row(lines, branch)))
        for method, lines in conflicts_of(record).items()
        for branch in sorted({line.branch for line in lines} - {ALL_BRANCHES})
    ]
    if not rows:
        return None
    return Table(
        title="Gradient conflict, branch by branch",
        header=("method · branch", *CONFLICT_HEADER),
        rows=tuple(rows),
        folded=True,
    )


def _conflict_row(lines: Sequence[ConflictLine], branch: str) -> Iterator[str]:
    for pairs, samples in CONFLICT_COLUMNS:
        series = conflict_series(lines, samples=samples, pairs=pairs, branch=branch)
        means = over_rounds(series)
        yield MISSING if means is None else _minus(f"{100 * means[0]:.0f} % · {means[1]:+.2f}")


def read_audit(run: Run) -> Audit | None:
    """Read the audit of a run; None where there is none.

    Raises:
        RecordError: the file is damaged, or of a former format.
    """
    path = run.directory / AUDIT
    return read_record(path, Audit) if path.exists() else None


def audit_tables(run: Run) -> list[Table]:
    """Return the tables of a run's audit, none if it has not been audited."""
    audit = read_audit(run)
    if audit is None:
        return []
    tables = (
        _readings_table(audit),
        _purity_table(audit),
        _bits_table(audit),
        _contribution_table(audit),
        _predictability_table(audit),
        _dependence_table(audit),
    )
    return [table for table in tables if table]


def audited_groups(audit: Audit) -> list[tuple[str, GroupAudit]]:
    """Return the audited modality sets, the smallest first."""
    return [(group, audit.groups[group]) for group in ordered_groups(audit.groups)]


def slice_bits(measures: SliceMeasures) -> dict[str, Decomposition]:
    """Return the decompositions of slices by kind and pair: ``redundant a,b``."""
    return {
        f"{kind} {pair}": decomposition
        for kind, by_pair in measures.bits.items()
        for pair, decomposition in by_pair.items()
    }


def _readings_table(audit: Audit) -> Table:
    """Return a row per representation, the data first: targets read right, in percent."""
    targets = list(audit.chance)
    rows = [
        _percents(f"data {name}", (reads[target] for target in targets))
        for name, reads in audit.raw.reads.items()
    ]
    for group, measured in audited_groups(audit):
        for name, by_target in measured.reads.items():
            readings = [by_target[target] for target in targets]
            rows.append(
                _percents(f"{group}: {_short(group, name)}", (one.accuracy for one in readings))
            )
            if any(one.noiseless is not None for one in readings):
                rows.append(_percents(NOISELESS, (one.noiseless for one in readings)))
    rows.append(_percents("chance", audit.chance.values()))
    agents = sum(len(measured.agents) for measured in audit.groups.values())
    return Table(
        title=f"What probes read from slices: {audit.method} on {audit.data}, in percent",
        header=("read from", *targets),
        rows=tuple(rows),
        notes=(
            f"Means over {agents} agents, on {audit.samples['report']} {audit.evaluated_on} "
            f"samples; probes are fitted on {audit.samples['fit']} others, which no agent "
            "owns.",
            "a,b: two modalities side by side; a+b: fused.",
        ),
    )


def _purity_table(audit: Audit) -> Table | None:
    """Return a row per slice: its own label bits and the others, where true factors are known."""
    rows: list[Row] = []
    for group, measured in audited_groups(audit):
        for name, purity in measured.purity.items():
            rows.append(_purity_row(f"{group}: {_short(group, name)}", purity.through))
            if purity.noiseless:
                rows.append(_purity_row(NOISELESS, purity.noiseless))
    if not rows:
        return None
    return Table(
        title="How purely slices hold their label bits, in percent",
        header=("slice", "own bits, at least", "others, at most", "the worst"),
        rows=tuple(rows),
        notes=("A pure slice reads 100 and 50: chance is 50 for a bit.",),
    )


def _purity_row(name: str, purity: Purity) -> Row:
    return entries((name, percent(purity.own), percent(purity.other), purity.worst or MISSING))


def _bits_table(audit: Audit) -> Table | None:
    """Return a row per pair of slices, the data first: the decomposition about the label."""
    rows = [_bits_row(f"data {pair}", bits) for pair, bits in audit.raw.bits.items()]
    for group, measured in audited_groups(audit):
        noiseless = slice_bits(measured.noiseless) if measured.noiseless else {}
        for name, bits in slice_bits(measured).items():
            rows.append(_bits_row(f"{group}: {name}", bits))
            if name in noiseless:
                rows.append(_bits_row(NOISELESS, noiseless[name]))
    for pair in audit.across:
        for kind, measures in pair.kinds.items():
            rows.append(_bits_row(f"{' and '.join(pair.agents)}: {kind}", measures.bits))
    if not rows:
        return None
    return Table(
        title="Bits about the label",
        header=("of", "redundant", "unique", "unique", "synergistic", "total"),
        rows=tuple(rows),
        notes=(
            "The two unique columns are of the first and the second modality.",
            *(f"Doubt: {warning}." for warning in _one_of_each(audit.warnings)),
        ),
    )


def _bits_row(name: str, decomposition: Decomposition) -> Row:
    atoms = decomposition.bits
    return _numbers(name, (atoms.redundant, *atoms.unique.values(), atoms.synergistic, atoms.total))


def _one_of_each(warnings: Iterable[str]) -> Iterable[str]:
    """Return the last of those warnings that differ in their numbers alone."""
    return {re.sub(r"\d+(\.\d+)?", "#", warning): warning for warning in sorted(warnings)}.values()


def _contribution_table(audit: Audit) -> Table:
    """Return what the prediction owes to each slice: a row per group and slice, in percent."""
    rows = []
    for group, measured in audited_groups(audit):
        parts = measured.accuracy
        rows.append(_percents(group, (parts.joint, None, parts.synergy_score, parts.spoilt)))
        if parts.noiseless is not None:
            rows.append(_percents(NOISELESS, (parts.noiseless, None, None, None)))
        rows += [
            _percents(f"{group}: {name}", (alone, parts.without.get(name), None, None))
            for name, alone in parts.alone.items()
        ]
    return Table(
        title="What predictions owe to each slice, in percent",
        header=("agents; a slice alone", "accuracy", "without it", "synergy score", "spoilt"),
        rows=tuple(rows),
        notes=(
            "Synergy score: right, though every single modality is wrong; spoilt: the reverse.",
        ),
    )


def _predictability_table(audit: Audit) -> Table | None:
    """Return how well one modality's slice predicts the other's: held-out R²."""
    rows: list[Row] = []
    for group, measured in audited_groups(audit):
        for kind, by_way in measured.predictability.items():
            for way, values in by_way.items():
                rows.append(_numbers(f"{group}: {kind} {way}", values.values()))
                if measured.noiseless:
                    noiseless = measured.noiseless.predictability[kind][way]
                    rows.append(_numbers(NOISELESS, noiseless.values()))
    for pair in audit.across:
        for kind, measures in pair.kinds.items():
            for way, values in measures.predictability.items():
                rows.append(_numbers(f"{' and '.join(pair.agents)}: {kind} {way}", values.values()))
    if not rows:
        return None
    return Table(
        title="How well a slice predicts the other modality's: R²",
        header=("slice", "linear", "network", "beyond the label"),
        rows=tuple(rows),
        notes=("1 is perfect, 0 no better than the mean.",),
    )


def _dependence_table(audit: Audit) -> Table | None:
    """Return how dependent the slices of one modality are."""
    rows: list[Row] = []
    for group, measured in audited_groups(audit):
        for name, values in measured.dependence.items():
            rows.append(_numbers(f"{group}: {_two_slices(name)}", values.values()))
            if measured.noiseless:
                rows.append(_numbers(NOISELESS, measured.noiseless.dependence[name].values()))
    if not rows:
        return None
    return Table(
        title="How dependent the slices of one modality are: kernel alignment, 0 to 1",
        header=("slices", "alignment", "chance", "by label"),
        rows=tuple(rows),
        notes=(
            "Above chance (95 % of permutations): dependent. By label: what is left when samples "
            "are permuted within classes.",
        ),
    )


def _short(group: str, name: str) -> str:
    """Return ``synergistic.a`` for ``synergistic.a+b.a`` where a and b are all that there is."""
    return name.replace(f"synergistic.{group}.", "synergistic.")


def _two_slices(name: str) -> str:
    """Return ``a: redundant, synergistic`` for ``redundant.a synergistic.a+b.a``."""
    first, second = (one.rpartition(".") for one in name.split())
    return f"{first[2]}: {first[0].partition('.')[0]}, {second[0].partition('.')[0]}"


def _percents(name: str, values: Iterable[float | None]) -> Row:
    return entries((name, *map(percent, values)))


def _numbers(name: str, values: Iterable[float]) -> Row:
    digits = (f"{value + 0.0:.2f}".replace("-0.00", "0.00") for value in values)
    return entries((name, *map(_minus, digits)))


def _minus(text: str) -> str:
    return text.replace("-", "−")
