"""What the slices tell about the label, beside what the data do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from parse_dfl.report.audits import Atoms, Audit, read_audit
from parse_dfl.report.formatting import listed
from parse_dfl.report.records import Run
from parse_dfl.report.style import Picture, canvas, house_style, legend_below

COLORS = ("#0072B2", "#E69F00", "#F0C75E", "#D55E00")
"""Redundant, unique of the first and the second modality, synergistic."""
MOST_PANELS = 6


@house_style
def audit_bits(run: Run) -> Picture | None:
    """A panel per pair of modalities: stacked bars of bits, the data's own and each slice's."""
    audit = read_audit(run.directory)
    panels = _panels(audit) if audit else {}
    if not panels:
        return None
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    tallest = max(len(bars) for bars in panels.values())
    figure, axes = canvas(rows, columns, height=rows * (1.0 + 0.36 * tallest) + 0.5)
    for axis, (pair, bars) in zip(axes, panels.items(), strict=False):
        _draw(axis, pair, bars)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    legend_below(figure, axes[0])
    return Picture(
        name="audit-bits",
        title="What the slices tell about the label",
        caption=_caption(panels),
        figure=figure,
    )


def _panels(audit: Audit) -> dict[str, dict[str, Atoms]]:
    """Pair → bar → atoms, for the pairs of which there is more than the data."""
    panels: dict[str, dict[str, Atoms]] = {}
    for pair, atoms in list(audit.raw_bits.items())[:MOST_PANELS]:
        bars = {"the data": atoms}
        for group, found in audit.groups.items():
            for name, own in found.slices.bits.items():
                kind, _, owners = name.partition(" ")
                if owners == pair:
                    bars[f"{group}: {kind}"] = own
        for met in audit.across:
            if ",".join(met.modalities) == pair:
                for kind, own in met.bits.items():
                    bars.setdefault(f"{' and '.join(met.modalities)}: {kind}", own)
        if len(bars) > 1:
            panels[pair] = bars
    return panels


def _draw(axis: Axes, pair: str, bars: Mapping[str, Atoms]) -> None:
    places = np.arange(len(bars))
    first, second = pair.split(",")
    parts = {
        "redundant": [atoms.redundant for atoms in bars.values()],
        f"unique {first}": [atoms.unique[first] for atoms in bars.values()],
        f"unique {second}": [atoms.unique[second] for atoms in bars.values()],
        "synergistic": [atoms.synergistic for atoms in bars.values()],
    }
    left = np.zeros(len(bars))
    for (name, values), color in zip(parts.items(), COLORS, strict=True):
        axis.barh(places, values, left=left, height=0.7, color=color, label=name)
        left += values
    axis.set_yticks(places, list(bars))
    axis.invert_yaxis()
    axis.set_title(f"{first} and {second}")
    axis.set_xlabel("bits about the label")
    axis.grid(visible=False, axis="y")


def _caption(panels: Mapping[str, Mapping[str, Atoms]]) -> str:
    text = (
        "If slices were what they say, each bar would have one kind of bits: the redundant slices "
        "only redundant ones, and so on, and together the bars would be the data's."
    )
    pair, bars = next(iter(panels.items()))
    shares = [
        f"{100 * _own(name, atoms) / atoms.total:.0f} % ({name})"
        for name, atoms in bars.items()
        if ": " in name and atoms.total > 0
    ]
    owners = pair.replace(",", " and ")
    return (
        f"{text} Of what slices of {owners} tell, so much is of their own kind: {listed(shares)}."
    )


def _own(name: str, atoms: Atoms) -> float:
    match name.partition(": ")[2]:
        case "redundant":
            return atoms.redundant
        case "unique":
            return sum(atoms.unique.values())
    return atoms.synergistic
