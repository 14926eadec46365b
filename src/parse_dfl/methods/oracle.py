"""The oracle: the PARSE network trained centrally on all agents' samples, the upper bound.

Agents of one modality set are merged, so that every sample is seen with exactly the modalities
that its agent had; gradients are averaged over all rows of a branch at every step, which keeps
the rows equal: centralised training in the engine of decentralised training.
"""

from __future__ import annotations

from dataclasses import replace

from parse_dfl.config.methods import ParseOptions
from parse_dfl.methods.base import Method, nothing
from parse_dfl.methods.parse import parse_method


def oracle(options: ParseOptions) -> Method:
    """PARSE's network and objective, centralised."""
    return replace(parse_method(options, name="oracle", sharing=nothing), lr=0.01, centralised=True)
