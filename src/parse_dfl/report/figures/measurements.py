"""Draw what runs measure beside accuracy: gradient conflict, and bits of slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from parse_dfl.records import Atoms, Audit, ConflictLine, Roles
from parse_dfl.report.collection import Record
from parse_dfl.report.formatting import listed
from parse_dfl.report.load import Run
from parse_dfl.report.style import (
    SOFT,
    Picture,
    canvas,
    house_style,
    legend_below,
    look,
    panel_grid,
)
from parse_dfl.report.tables.measurements import (
    EQUAL,
    SAMPLES,
    UNI_MULTI,
    Series,
    audited_groups,
    conflict_series,
    conflicts_of,
    over_rounds,
    read_audit,
    slice_bits,
)

SAMPLE_TITLES = {"own": "each on its own samples", "held-out": "both on the same held-out samples"}
ATOM_COLORS = ("#0072B2", "#E69F00", "#F0C75E", "#D55E00")
"""Redundant, unique of the first and the second modality, synergistic."""
MOST_PAIRS = 6

Bars = Mapping[str, Atoms]
"""Name of a bar → its bits, the data's own first."""


@house_style
def conflict(record: Record) -> Picture | None:
    """Draw the share of conflicting pairs above, the mean cosine below."""
    return draw_conflict(conflicts_of(record), record.roles)


def draw_conflict(lines: Mapping[str, Sequence[ConflictLine]], roles: Roles) -> Picture | None:
    """Return the picture of methods' lines; None where nobody shares anything."""
    curves = {
        (method, samples, pairs): series
        for method, recorded in lines.items()
        for samples in SAMPLES
        for pairs in (UNI_MULTI, EQUAL)
        if (series := conflict_series(recorded, samples=samples, pairs=pairs))
    }
    if not curves:
        return None
    figure, panels = canvas(2, 2, height=5.8, width=9.5)
    for column, samples in enumerate(SAMPLES):
        share, cosine = panels[column], panels[2 + column]
        share.set_title(SAMPLE_TITLES[samples])
        for (method, measured_on, pairs), series in curves.items():
            if measured_on == samples:
                _draw_series(share, cosine, method, pairs, series, roles)
        share.axhline(50, color=SOFT, linewidth=0.8)
        cosine.axhline(0, color=SOFT, linewidth=0.8)
        cosine.set_xlabel("round")
    panels[0].set_ylabel("conflicting pairs, %")
    panels[2].set_ylabel("mean cosine")
    legend_below(figure, panels[0], columns=5)
    return Picture(
        name="gradient-conflict",
        title="Gradient conflict over rounds",
        caption=_conflict_caption(curves),
        figure=figure,
    )


def _draw_series(
    share: Axes, cosine: Axes, method: str, pairs: str, series: Series, roles: Roles
) -> None:
    style = look(method, roles).line
    if pairs == EQUAL:
        style |= {"marker": "none", "linestyle": ":", "linewidth": 1.0}
    shares, cosines = zip(*series.values(), strict=True)
    name = method if pairs == UNI_MULTI else None
    share.plot(list(series), [100 * value for value in shares], label=name, **style)
    cosine.plot(list(series), cosines, **style)


def _conflict_caption(curves: Mapping[tuple[str, str, str], Series]) -> str:
    text = (
        "Solid: pairs of a uni- and a multimodal agent on the parameters that both share; dotted: "
        "pairs of equal modality sets. The grey line is what unrelated gradients would give."
    )
    for samples, words in zip(
        SAMPLES, ("On their own samples", "on the same samples"), strict=True
    ):
        shares = [
            f"{100 * means[0]:.0f} % ({method})"
            for (method, measured_on, pairs), series in curves.items()
            if measured_on == samples and pairs == UNI_MULTI and (means := over_rounds(series))
        ]
        text += f" {words} conflict {listed(shares)};" if shares else ""
    return f"{text.rstrip(';')}."


@house_style
def audit_bits(run: Run) -> Picture | None:
    """Draw a panel per pair of modalities: stacked bars of bits, the data's and each slice's."""
    audit = read_audit(run)
    pairs = _bars_by_pair(audit) if audit else {}
    if not pairs:
        return None
    tallest = max(len(bars) for bars in pairs.values())
    figure, panels, _ = panel_grid(
        len(pairs), most_columns=2, row_height=1.0 + 0.36 * tallest, extra=0.5
    )
    for panel, (pair, bars) in zip(panels, pairs.items(), strict=False):
        _draw_bars(panel, pair.split(","), bars)
    legend_below(figure, panels[0])
    return Picture(
        name="audit-bits",
        title="What the slices tell about the label",
        caption=_bits_caption(*next(iter(pairs.items()))),
        figure=figure,
    )


def _bars_by_pair(audit: Audit) -> dict[str, Bars]:
    """Return the bars of the pairs of which there is more than the data."""
    by_pair: dict[str, Bars] = {}
    for pair, data in list(audit.raw.bits.items())[:MOST_PAIRS]:
        bars = {"the data": data.bits}
        for group, measured in audited_groups(audit):
            for name, decomposition in slice_bits(measured).items():
                kind, _, owners = name.partition(" ")
                if owners == pair:
                    bars[f"{group}: {kind}"] = decomposition.bits
        for across in audit.across:
            if ",".join(across.modalities) == pair:
                agents = " and ".join(across.modalities)
                for kind, measures in across.kinds.items():
                    bars.setdefault(f"{agents}: {kind}", measures.bits.bits)
        if len(bars) > 1:
            by_pair[pair] = bars
    return by_pair


def _draw_bars(panel: Axes, pair: Sequence[str], bars: Bars) -> None:
    first, second = pair
    parts = {
        "redundant": [atoms.redundant for atoms in bars.values()],
        f"unique {first}": [atoms.unique[first] for atoms in bars.values()],
        f"unique {second}": [atoms.unique[second] for atoms in bars.values()],
        "synergistic": [atoms.synergistic for atoms in bars.values()],
    }
    positions, left = np.arange(len(bars)), np.zeros(len(bars))
    for (name, values), color in zip(parts.items(), ATOM_COLORS, strict=True):
        panel.barh(positions, values, left=left, height=0.7, color=color, label=name)
        left += values
    panel.set_yticks(positions, list(bars))
    panel.invert_yaxis()
    panel.set_title(f"{first} and {second}")
    panel.set_xlabel("bits about the label")
    panel.grid(visible=False, axis="y")


def _bits_caption(pair: str, bars: Bars) -> str:
    shares = [
        f"{100 * _of_own_kind(name, atoms) / atoms.total:.0f} % ({name})"
        for name, atoms in bars.items()
        if ": " in name and atoms.total > 0
    ]
    owners = pair.replace(",", " and ")
    return (
        "If slices were what they say, each bar would have one kind of bits: the redundant slices "
        "only redundant ones, and so on, and together the bars would be the data's. Of what slices "
        f"of {owners} tell, so much is of their own kind: {listed(shares)}."
    )


def _of_own_kind(name: str, atoms: Atoms) -> float:
    match name.partition(": ")[2]:
        case "redundant":
            return atoms.redundant
        case "unique":
            return sum(atoms.unique.values())
    return atoms.synergistic
