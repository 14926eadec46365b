"""PARSE whose slices' weights are learned to the end: gates never stop, and the samples that they
learn from are never given to the slices.

Weighting modalities is what the paper of PARSE leaves for future work (arXiv 2601.10012).
"""

from __future__ import annotations

from dataclasses import dataclass

from parse_dfl.methods.checks import check_option
from parse_dfl.methods.method import Method
from parse_dfl.methods.parse import ParseOptions, parse_method


@dataclass(frozen=True, kw_only=True)
class AdaptiveOptions(ParseOptions):
    """PARSE's options, with gates that learn in all rounds."""

    gate_share: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("hold_out", self.hold_out, least=2)


def parse_adaptive(options: AdaptiveOptions) -> Method:
    """PARSE with gates that learn to the end."""
    return parse_method(options, name="parse-adaptive")
