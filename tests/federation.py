"""Tiny federations for tests: synthetic samples, a network_spec, a simulator."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from parse_dfl.agents import AgentMix, AgentSpec, Kind
from parse_dfl.config import NetworkConfig, OverlayConfig, TrainingConfig
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.simulator import build_simulator
from parse_dfl.methods.base import Method
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.encoders import SampleShape
from parse_dfl.networks.network import NetworkSpec
from parse_dfl.overlays.mixing_matrix import metropolis
from parse_dfl.overlays.topologies import Topology

CLASSES = 3
WIDTHS = {"a": 3, "b": 4, "c": 2}
SHAPES = {name: SampleShape(name, Kind.VECTOR, (width,)) for name, width in WIDTHS.items()}


def tiny_data(samples=120):
    """Three modalities of noisy class means."""
    random = np.random.default_rng(0)
    label = np.arange(samples) % CLASSES
    modalities = {
        name: (random.normal(size=(CLASSES, width))[label] + random.normal(size=(samples, width)))
        for name, width in WIDTHS.items()
    }
    return MultimodalData(
        name="tiny",
        modalities={name: values.astype(np.float32) for name, values in modalities.items()},
        kinds=dict.fromkeys(WIDTHS, Kind.VECTOR),
        label=label,
        label_names=tuple("xyz"),
    )


def tiny_blueprint(own_encoders=None, samples=None, **config):
    """Narrow networks without dropout, unless asked for."""
    config = {"latent": 6, "hidden": 5, "dropout": 0.0} | config
    return NetworkSpec(
        samples=samples or SHAPES,
        classes=CLASSES,
        config=NetworkConfig(**config),
        own_encoders=own_encoders or {},
    )


def tiny_simulator(
    method,
    mix="a=2,b=2,a+b=3",
    *,
    rounds=4,
    samples=10,
    topology="ring",
    absence=0.0,
    network_spec=None,
    **training,
):
    """A simulator of a named or given method, in float64."""
    agents = AgentMix.from_string(mix).agents()
    random = np.random.default_rng(1)
    data = tiny_data()
    shards = [
        AgentData(agent, np.sort(random.choice(data.samples, samples, replace=False)))
        for agent in agents
    ]
    training = {"batch_size": 5, "rounds": rounds, "dtype": "float64"} | training
    return build_simulator(
        TensorData(data, torch.device("cpu"), torch.float64),
        shards,
        method if isinstance(method, Method) else build_method(method),
        network_spec or tiny_blueprint(),
        training=TrainingConfig(**training),
        overlay=OverlayConfig(topology=topology, absence=absence),
    )


def thetas(simulator, component):
    """Each owner's parameters of a component: modality → agent's name → row, as copies."""
    return {
        branch.modality: {
            agent.name: row.clone() for agent, row in zip(rows.agents, rows.params, strict=True)
        }
        for branch, rows in simulator.layout.branches.items()
        if branch.component == component
    }


def agent(modalities, **more):
    """One agent that owns ``"a+b"``."""
    return AgentSpec(name="x", modalities=tuple(modalities.split("+")), **more)


def mixing_over(size, topology="ring", round=1):
    """The Metropolis mixing of ``size`` members."""
    members = [f"agent-{index}" for index in range(size)]
    return metropolis(Topology.of(topology).edges(members, round=round, seed=0, label="any"))


@dataclass
class GivenRows:
    """Rows as an exchange rule sees them, from given tensors."""

    params: torch.Tensor
    previous: torch.Tensor | None = None
    drifts: torch.Tensor | None = None
    progress: float = 1.0
    memory: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def agents(self):
        return [AgentSpec(name=f"agent-{i}", modalities=("a",)) for i in range(len(self.params))]

    def drift(self, component):
        return self.drifts


def rows_module(build, count):
    """A module whose parameters are those of ``count`` single ones stacked, and the singles."""
    singles = [build().double() for _ in range(count)]
    for single in singles:  # norms start at one and zero, which would hide a swap
        for value in single.parameters():
            torch.nn.init.normal_(value)
    return stack_rows(build, singles), singles


def stack_rows(build, singles):
    """A module like the ``singles``, with their parameters as its rows; frozen ones are shared."""
    stacked = build().double()
    own = [dict(single.named_parameters()) for single in singles]
    for name, value in list(stacked.named_parameters()):
        if value.requires_grad:
            path, _, leaf = name.rpartition(".")
            rows = torch.stack([values[name].detach() for values in own])
            setattr(stacked.get_submodule(path), leaf, torch.nn.Parameter(rows))
        else:
            for values in own:
                values[name].data.copy_(value)
    return stacked


def assert_same_by_rows(stacked, singles, *inputs, tolerance=1e-12):
    """Outputs and gradients of stacked weights are those of the singles, row by row."""
    inputs = [value.double().requires_grad_() for value in inputs]
    together = stacked(*inputs)
    weight = torch.randn(together.shape, dtype=torch.float64)
    (together * weight).sum().backward()
    for row, single in enumerate(singles):
        own = [value[row].detach().clone().requires_grad_() for value in inputs]
        alone = single(*own)
        (alone * weight[row]).sum().backward()
        torch.testing.assert_close(together[row], alone, rtol=tolerance, atol=tolerance)
        pairs = [(value.grad[row], mine.grad) for value, mine in zip(inputs, own, strict=True)]
        for rows, mine in zip(stacked.parameters(), single.parameters(), strict=True):
            if rows.requires_grad:
                pairs.append((rows.grad[row], mine.grad))
        for found, expected in pairs:
            torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
