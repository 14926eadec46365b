"""Federations small enough to train in a test: random data, few agents, narrow networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from parse_dfl.agents import AgentMix, AgentSpec, ModalityChange
from parse_dfl.branches import stable_hash
from parse_dfl.config import NetworkConfig, OverlayConfig, TrainingConfig
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.mapping import from_mapping
from parse_dfl.engine.agent_data import AgentData, TensorData
from parse_dfl.engine.simulator import Simulator, build_simulator
from parse_dfl.methods.base import Method
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.encoders import EncoderBuilder, SampleShape
from parse_dfl.networks.network import NetworkSpec

VECTORS = {"a": (3,), "b": (4,)}
NARROW = NetworkConfig(latent=6, hidden=5, dropout=0.25)


def small_data(
    shapes: Mapping[str, tuple[int, ...]] = VECTORS, *, samples: int = 160, classes: int = 3
) -> MultimodalData:
    """Gaussian clusters around a centre per class and modality."""
    rng = np.random.default_rng(7)
    label = np.arange(samples) % classes
    modalities = {}
    for name, shape in shapes.items():
        centres = rng.normal(size=(classes, *shape))
        modalities[name] = centres[label] + rng.normal(size=(samples, *shape))
    return from_mapping("small", modalities, label)


def small_network_spec(
    data: MultimodalData,
    network: NetworkConfig = NARROW,
    encoders: Mapping[str, EncoderBuilder] | None = None,
) -> NetworkSpec:
    """What the networks of agents that learn from ``data`` are built from."""
    samples = {n: SampleShape(n, data.kinds[n], data.shape(n)) for n in data.modalities}
    return NetworkSpec(
        samples=samples, classes=data.classes, config=network, own_encoders=encoders or {}
    )


def small_shards(
    agents: Sequence[AgentSpec], data: MultimodalData, sizes: Sequence[int]
) -> list[AgentData]:
    """``sizes`` (repeated as needed) samples each, drawn from the agent's identity alone."""
    shards = []
    for number, agent in enumerate(agents):
        rng = np.random.default_rng(stable_hash(agent.seed, agent.name))
        chosen = rng.permutation(data.samples)[: sizes[number % len(sizes)]]
        shards.append(AgentData(agent, np.sort(chosen)))
    return shards


def federation(
    method: str | Method = "parse",
    *,
    agents: str = "a=2,b=2,a+b=3",
    seeds: Sequence[int] = (0,),
    data: MultimodalData | None = None,
    sizes: Sequence[int] = (12,),
    network: NetworkConfig = NARROW,
    encoders: Mapping[str, EncoderBuilder] | None = None,
    events: Sequence[str] = (),
    topology: str = "ring",
    by_samples: bool = False,
    absence: float = 0.0,
    robust: str = "none",
    attackers: Sequence[str] = (),
    compiled: bool = False,
    build: Callable[..., Simulator] = build_simulator,
    **training: object,
) -> Simulator:
    """A simulator in float64 over :func:`small_data`, six rounds unless told otherwise; made by
    ``build``."""
    data = data or small_data()
    settings = {"rounds": 6, "batch_size": 8, "dtype": "float64", **training}
    config = TrainingConfig(**settings)
    specs = [agent for seed in seeds for agent in AgentMix.from_string(agents).agents(seed)]
    return build(
        TensorData(data, torch.device("cpu"), getattr(torch, config.dtype)),
        small_shards(specs, data, sizes),
        build_method(method) if isinstance(method, str) else method,
        small_network_spec(data, network, encoders),
        training=config,
        overlay=OverlayConfig(
            topology=topology,
            by_samples=by_samples,
            absence=absence,
            robust=robust,
            attackers=tuple(attackers),
        ),
        changes=[ModalityChange.from_string(text) for text in events],
        compiled=compiled,
    )


def run_rounds(simulator: Simulator, rounds: int) -> Simulator:
    """The simulator after so many more rounds."""
    for _ in range(rounds):
        simulator.step()
    return simulator


def rows_of(simulator: Simulator) -> dict[tuple[int, str, str], torch.Tensor]:
    """Copies of all parameters: (seed, agent, branch) → row, shape=(P,)."""
    return {
        (agent.seed, agent.name, str(branch)): rows.params[row].clone()
        for branch, rows in simulator.layout.branches.items()
        for row, agent in enumerate(rows.agents)
    }
