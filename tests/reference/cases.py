"""Small fixed runs whose numbers a change of the code's structure must not move.

Every method, every option that changes what is learnt, and every engine, a second or so each.
"""

from __future__ import annotations

from collections.abc import Mapping

BASE = {
    "data": "digits",
    "agents": "top=2,bottom=2,top+bottom=3",
    "rounds": "4",
    "samples-per-agent": "24",
    "latent": "12",
    "hidden": "8",
    "batch-size": "8",
    "eval-every": "2",
    "checkpoint-every": "2",
    "dtype": "float64",
}
"""Options of every case, which a case may replace."""

METHODS = (
    "parse",
    "parse-adaptive",
    "parse-faithful",
    "local",
    "dsgd-task",
    "dsgd-modality",
    "dsgd-hybrid",
    "harmony",
    "gradient-surgery",
    "sheaf-dmfl",
    "oracle",
    "parse@dsgd-hybrid",
    "parse@dsgd-task",
)

_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "sgd": {"optimizer": "sgd", "momentum": "0.5", "weight-decay": "0.01"},
    "adamw": {"optimizer": "adamw", "weight-decay": "0.01", "schedule": "constant"},
    "shared-moments": {"share-moments": "second"},
    "global-momentum": {"global-momentum": "0.3"},
    "no-prior-correction": {"prior-correction": "0"},
    "by-samples": {"by-samples": "", "samples-per-agent": "8..24"},
    "absence": {"absence": "0.3"},
    "dirichlet": {"partition": "dirichlet:0.3"},
    "agreed": {"standardise": "agreed"},
    "split": {"split": "1,2,1", "fusion": "attention"},
    "no-unique": {"split": "1,0,1", "fusion": "gated"},
    "sum": {"fusion": "sum", "dropout": "0"},
    "product": {"fusion": "product"},
    "regular": {"topology": "regular:4"},
    "one-peer": {"topology": "one-peer-exponential"},
    "matching": {"topology": "random-matching"},
    "clipping": {
        "topology": "full",
        "robust": "clipping:attackers=1",
        "attacker": "top-0:sign-flip",
    },
    "trimmed-mean": {
        "topology": "full",
        "robust": "trimmed-mean:attackers=0.2",
        "agents": "top=2,bottom=2,top+bottom=5",
        "attacker": "bottom-0:random:3",
    },
    "balance": {"topology": "full", "robust": "balance", "attacker": "top-1:scale:10"},
    "events": {"event": "2:top-0:+bottom"},
    "memory-limit": {"memory-limit": "1GiB"},
    "float32": {"dtype": "float32"},
    "bfloat16": {"dtype": "bfloat16"},
    "four-modalities": {
        "data": "digits:4",
        "agents": "part1=2,part2=1,part1+part2=1,part1+part2+part4=2",
    },
    "encoder": {"encoder": "top=mlp2"},
    "compiled": {"compile": ""},
    "peers": {"engine": "peers", "insecure": "", "agents": "top=1,bottom=1,top+bottom=2"},
}

CASES: dict[str, Mapping[str, str]] = {method: {"method": method} for method in METHODS} | dict(
    _OPTIONS
)
"""Name of a case → its options, beyond :data:`BASE`."""

ROUNDING = {"float64": 1e-7, "float32": 2e-3, "bfloat16": 5e-2}
"""The relative difference that another order of sums may make, by the type computed in."""


def command_line(case: Mapping[str, str], out: str) -> list[str]:
    """Return the arguments of ``parse-dfl`` for a case."""
    words = ["run", "--out", out, "--overwrite", "--quiet"]
    for name, value in {**BASE, **case}.items():
        words += [f"--{name}", value] if value else [f"--{name}"]
    return words


def tolerance(case: Mapping[str, str]) -> float:
    """Return the relative difference allowed for a case."""
    return ROUNDING[{**BASE, **case}["dtype"]]
