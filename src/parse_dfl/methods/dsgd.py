"""Decentralised SGD on the monolithic network, under one of the plain sharing rules.

Paper: "Can Decentralized Algorithms Outperform Centralized Algorithms? A Case Study for
Decentralized Parallel Stochastic Gradient Descent", Lian et al., NeurIPS 2017.
"""

from __future__ import annotations

from parse_dfl.methods.base import RULES, Method, Stage
from parse_dfl.networks.baselines import MonolithicNetwork
from parse_dfl.networks.losses import joint_loss

LEARNING_RATES = {"local": 0.002, "dsgd-task": 0.02, "dsgd-modality": 0.02, "dsgd-hybrid": 0.03}
"""Tuned on validation data (studies/accuracy)."""


def dsgd(name: str) -> Method:
    """``local``, ``dsgd-task``, ``dsgd-modality`` or ``dsgd-hybrid``."""
    stage = Stage(objective=joint_loss, sharing=RULES[name.removeprefix("dsgd-")])
    return Method(name=name, network=MonolithicNetwork, stages=(stage,), lr=LEARNING_RATES[name])
