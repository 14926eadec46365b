"""PARSE whose slices' weights are learned to the end: gates never stop, and the samples that they
learn from are never given to the slices.

Weighting modalities is what the paper of PARSE leaves for future work (arXiv 2601.10012).
"""

from __future__ import annotations

from parse_dfl.config.methods import ParseAdaptive
from parse_dfl.methods.base import Method
from parse_dfl.methods.parse import parse_method


def parse_adaptive(options: ParseAdaptive) -> Method:
    """PARSE with gates that learn to the end."""
    return parse_method(options, name="parse-adaptive")
