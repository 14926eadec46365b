"""Gradient conflict between uni- and multimodal agents, over rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from parse_dfl.report.conflicts import (
    EQUAL,
    SAMPLES,
    UNI_MULTI,
    ConflictLine,
    Series,
    conflicts_of,
    over_rounds,
    series,
)
from parse_dfl.report.formatting import listed
from parse_dfl.report.records import Collection, Comparison, Run
from parse_dfl.report.style import SOFT, Picture, canvas, house_style, legend_below, look

TITLES = {"own": "each on its own samples", "held-out": "both on the same held-out samples"}


@house_style
def conflict(record: Run | Comparison | Collection) -> Picture | None:
    """Share of conflicting pairs above, mean cosine below; thin dotted: equal modality sets."""
    return draw_conflict(conflicts_of(record))


def draw_conflict(lines: Mapping[str, Sequence[ConflictLine]]) -> Picture | None:
    """The picture of methods' lines; None where nobody shares anything."""
    curves = {
        (method, samples, pairs): found
        for method, own in lines.items()
        for samples in SAMPLES
        for pairs in (UNI_MULTI, EQUAL)
        if (found := series(own, samples=samples, pairs=pairs))
    }
    if not curves:
        return None
    figure, panels = canvas(2, 2, height=5.8, width=9.5)
    for column, samples in enumerate(SAMPLES):
        share, cosine = panels[column], panels[2 + column]
        share.set_title(TITLES[samples])
        for (method, where, pairs), found in curves.items():
            if where == samples:
                _draw(share, cosine, method, pairs, found)
        share.axhline(50, color=SOFT, linewidth=0.8)
        cosine.axhline(0, color=SOFT, linewidth=0.8)
        cosine.set_xlabel("round")
    panels[0].set_ylabel("conflicting pairs, %")
    panels[2].set_ylabel("mean cosine")
    legend_below(figure, panels[0], columns=5)
    return Picture(
        name="gradient-conflict",
        title="Gradient conflict over rounds",
        caption=_caption(curves),
        figure=figure,
    )


def _draw(share: Axes, cosine: Axes, method: str, pairs: str, found: Series) -> None:
    style = look(method).line
    if pairs == EQUAL:
        style |= {"marker": "none", "linestyle": ":", "linewidth": 1.0}
    rounds = list(found)
    name = method if pairs == UNI_MULTI else None
    share.plot(rounds, [100 * found[r][0] for r in rounds], label=name, **style)
    cosine.plot(rounds, [found[r][1] for r in rounds], **style)


def _caption(curves: Mapping[tuple[str, str, str], Series]) -> str:
    text = (
        "Solid: pairs of a uni- and a multimodal agent on the parameters that both share; dotted: "
        "pairs of equal modality sets. The grey line is what unrelated gradients would give."
    )
    for samples, words in (("own", "On their own samples"), ("held-out", "on the same samples")):
        shares = {
            method: mean[0]
            for (method, where, pairs), found in curves.items()
            if where == samples and pairs == UNI_MULTI and (mean := over_rounds(found))
        }
        told = [f"{100 * value:.0f} % ({method})" for method, value in shares.items()]
        text += f" {words} conflict {listed(told)};" if told else ""
    return f"{text.rstrip(';')}."
