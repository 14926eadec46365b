"""Federations that are trained by one process and by several ranks alike."""

from __future__ import annotations

from functools import partial

from parse_dfl.engine.simulator import Simulator
from parse_dfl.ranks.group import Ranks
from parse_dfl.ranks.simulator import build_rank_simulator
from tests.small import federation

AGENTS = "a=4,b=3,a+b=4"
EVENTS = ["2:a-0:+b", "3:a+b-1:-a"]
CASES = {
    "parse": {},
    "dsgd-hybrid": {"method": "dsgd-hybrid", "topology": "chordal-ring"},
    "local": {"method": "local"},
    "harmony": {"method": "harmony"},
    "sheaf-dmfl": {"method": "sheaf-dmfl"},
    "gradient-surgery": {"method": "gradient-surgery"},
    "parse-adaptive": {"method": "parse-adaptive"},
    "parse-faithful": {"method": "parse-faithful"},
    "changes": {
        "events": EVENTS,
        "absence": 0.3,
        "topology": "random-matching",
        "share_moments": "second",
        "sizes": (12, 7, 9),
        "by_samples": True,
        "seeds": (0, 1),
    },
    "sheaf with changes": {"method": "sheaf-dmfl", "events": EVENTS, "absence": 0.3},
    "directed": {"topology": "one-peer-exponential", "global_momentum": 0.1},
    "clipping": {"topology": "full", "robust": "clipping"},
    "balance": {"topology": "regular:4", "robust": "balance"},
    "trimmed-mean": {"topology": "full", "robust": "trimmed-mean", "attackers": ["a-1:random"]},
    "attackers": {"attackers": ["a-1:random", "a+b-0:sign-flip"], "optimizer": "sgd", "lr": 0.05},
    "lying over edges": {"method": "sheaf-dmfl", "attackers": ["a-1:random"]},
}
for _case in CASES.values():
    _case.setdefault("agents", AGENTS)
    _case.setdefault("rounds", 4)


def sharded(ranks: Ranks, method: str = "parse", **settings: object) -> Simulator:
    """:func:`tests.small.federation`, on several ranks."""
    build = partial(build_rank_simulator, ranks=ranks)
    return federation(method, **{"agents": AGENTS, **settings}, build=build)
