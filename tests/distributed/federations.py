"""Federations that are trained by one process and by several ranks alike."""

from __future__ import annotations

import torch

from parse_dfl.agents import parse_mix
from parse_dfl.distributed.ranks import Ranks
from parse_dfl.distributed.simulator import ShardedSimulator
from parse_dfl.events import parse_event
from parse_dfl.methods.registry import build_method
from parse_dfl.overlays.config import OverlayConfig
from parse_dfl.training.config import TrainingConfig
from parse_dfl.training.shards import TensorData
from tests.small import small_blueprint, small_data, small_shards

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
    "trimmed-mean": {"topology": "full", "robust": "trimmed-mean", "liars": ["a-1:random"]},
    "liars": {"liars": ["a-1:random", "a+b-0:sign-flip"], "optimizer": "sgd", "lr": 0.05},
    "lying over edges": {"method": "sheaf-dmfl", "liars": ["a-1:random"]},
}
for _case in CASES.values():
    _case.setdefault("agents", AGENTS)
    _case.setdefault("rounds", 4)


def sharded(
    ranks: Ranks,
    method: str = "parse",
    *,
    agents: str = AGENTS,
    seeds=(0,),
    sizes=(12,),
    events=(),
    topology: str = "ring",
    by_samples: bool = False,
    absence: float = 0.0,
    robust: str = "none",
    liars=(),
    **training: object,
) -> ShardedSimulator:
    """:func:`tests.small.federation`, on several ranks."""
    data = small_data()
    settings = {"rounds": 6, "batch_size": 8, "dtype": "float64", **training}
    config = TrainingConfig(**settings)
    specs = [agent for seed in seeds for agent in parse_mix(agents).agents(seed)]
    return ShardedSimulator(
        TensorData(data, torch.device("cpu"), getattr(torch, config.dtype)),
        small_shards(specs, data, sizes),
        build_method(method),
        small_blueprint(data),
        training=config,
        overlay=OverlayConfig(
            topology=topology,
            by_samples=by_samples,
            absence=absence,
            robust=robust,
            liars=tuple(liars),
        ),
        events=[parse_event(text) for text in events],
        ranks=ranks,
    )
