"""Methods, one a file; from here come the objects that a user hands to ``fit`` and ``compare``.

The names are loaded when they are first used, and none of them loads torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parse_dfl.byzantine import Balance, Clipping, TrimmedMean
    from parse_dfl.config.methods import (
        DSGD,
        GradientSurgery,
        Harmony,
        Local,
        MethodSpec,
        Oracle,
        Parse,
        ParseAdaptive,
        ParseFaithful,
        SheafDMFL,
    )

_HOMES = {
    "Balance": "byzantine",
    "Clipping": "byzantine",
    "DSGD": "config.methods",
    "GradientSurgery": "config.methods",
    "Harmony": "config.methods",
    "Local": "config.methods",
    "MethodSpec": "config.methods",
    "Oracle": "config.methods",
    "Parse": "config.methods",
    "ParseAdaptive": "config.methods",
    "ParseFaithful": "config.methods",
    "SheafDMFL": "config.methods",
    "TrimmedMean": "byzantine",
}

__all__ = [
    "DSGD",
    "Balance",
    "Clipping",
    "GradientSurgery",
    "Harmony",
    "Local",
    "MethodSpec",
    "Oracle",
    "Parse",
    "ParseAdaptive",
    "ParseFaithful",
    "SheafDMFL",
    "TrimmedMean",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'parse_dfl.methods' has no attribute {name!r}")
    return getattr(import_module(f"parse_dfl.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
