"""Partial information decomposition: what two modalities tell about a label, and how.

``from parse_dfl.analysis.pid import estimate`` is loaded when it is first used; the names of the
estimators cost nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parse_dfl.analysis.pid.decomposition import Bits, Decomposition
    from parse_dfl.analysis.pid.estimation import estimate

AUTO = "auto"
METHODS = {
    "exact": "counts; for whole numbers, one a sample, of at most 20 values",
    "batch": "classifiers and the least informative joint of batches (Liang et al. 2023)",
    "lsmi": "classifiers and densities, sample by sample (Yang et al. 2025)",
}

_HOMES = {"Bits": "decomposition", "Decomposition": "decomposition", "estimate": "estimation"}

__all__ = ["AUTO", "METHODS", "Bits", "Decomposition", "estimate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'parse_dfl.analysis.pid' has no attribute {name!r}")
    return getattr(import_module(f"parse_dfl.analysis.pid.{_HOMES[name]}"), name)
