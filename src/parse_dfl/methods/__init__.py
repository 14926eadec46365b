"""Methods, one a file; from here come the objects that a user hands to ``fit`` and ``compare``.

The names are loaded when they are first used, and none of them loads torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parse_dfl.methods.byzantine_rules import Balance, Clipping, TrimmedMean
    from parse_dfl.methods.specs import (
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
    "Balance": "byzantine_rules",
    "Clipping": "byzantine_rules",
    "DSGD": "specs",
    "GradientSurgery": "specs",
    "Harmony": "specs",
    "Local": "specs",
    "MethodSpec": "specs",
    "Oracle": "specs",
    "Parse": "specs",
    "ParseAdaptive": "specs",
    "ParseFaithful": "specs",
    "SheafDMFL": "specs",
    "TrimmedMean": "byzantine_rules",
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
    return getattr(import_module(f"parse_dfl.methods.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
