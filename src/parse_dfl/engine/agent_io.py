"""Save and load a trained agent: parameters, standardisation, and how to build its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from parse_dfl.agents import AgentSpec, Kind, modality_key
from parse_dfl.config import NetworkConfig
from parse_dfl.config.methods import Oracle, Parse, method_spec
from parse_dfl.data.standardise import Standardiser
from parse_dfl.engine.agent_stack import AgentStack
from parse_dfl.engine.checkpoint import check_format, packed, read_tensors
from parse_dfl.errors import CheckpointError, DataError, nearest
from parse_dfl.io import write_atomically
from parse_dfl.layouts import Layout
from parse_dfl.methods.base import Method
from parse_dfl.methods.registry import build_method
from parse_dfl.networks.encoders import EncoderBuilder, SampleShape
from parse_dfl.networks.network import Network, NetworkSpec, Outputs

FORMAT = "parse-dfl agent 2"
"""2: no feature's scale depends on others', standardised values are clipped."""


class TrainedAgent:
    """An agent that has learnt: predicts from any of the modalities that it was trained with."""

    def __init__(
        self,
        spec: AgentSpec,
        method: Method,
        network: Network,
        samples: Mapping[str, SampleShape],
        standardisers: Mapping[str, Standardiser],
        label_names: tuple[str, ...],
    ) -> None:
        self.spec = spec
        self.label_names = label_names
        self._predict = method.stages[-1].predict
        self._network = network.eval()
        self._samples = samples
        self._standardisers = standardisers

    def predict(self, inputs: Mapping[str, ArrayLike]) -> NDArray[np.int64]:
        """Return class numbers, shape=(B,), from arrays of shape (B, *sample shape) per modality.

        Samples are laid out as those of the data that the agent was trained on.  A modality that
        is missing is left out of the prediction; its name is as given or its key.

        Raises:
            DataError: no modality, an unknown one, a wrong shape, unequal lengths, or values
                that are not finite.
        """
        return np.asarray(self.predict_probability(inputs).argmax(1), dtype=np.int64)

    def predict_probability(self, inputs: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """Return class probabilities, shape=(B, C); see :meth:`predict`."""
        probability = self._predict(self.outputs(inputs)).softmax(-1)
        return np.asarray(probability.numpy(), dtype=np.float32)

    @torch.no_grad()
    def outputs(self, inputs: Mapping[str, ArrayLike], *, laid_out: bool = False) -> Outputs:
        """Return all outputs of the network: logits, slices, and logits per slice and modality.

        ``laid_out`` samples are of a :class:`~parse_dfl.data.dataset.MultimodalData`, which has
        put their axes in order already; others are as in the file that the agent learnt from.
        """
        return self._network(self._checked(inputs, laid_out=laid_out))

    def _checked(self, inputs: Mapping[str, ArrayLike], *, laid_out: bool) -> dict[str, Tensor]:
        if not isinstance(inputs, Mapping):
            raise DataError(
                f"give samples by modality, such as {{{self.spec.modalities[0]!r}: values}}, not "
                f"{type(inputs).__name__}"
            )
        if not inputs:
            raise DataError(f"no modality given; agent {self.spec.name!r} has {self.spec.group}")
        tensors: dict[str, Tensor] = {}
        for given, values in inputs.items():
            name = modality_key(given)
            if name in tensors:
                raise DataError(f"modality {name!r} is given twice")
            tensors[name] = self._tensor(name, values, laid_out=laid_out)
        lengths = {name: len(values) for name, values in tensors.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(
                f"modalities of unequal length: {lengths}; give the same samples of each"
            )
        return tensors

    def _tensor(self, name: str, values: ArrayLike, *, laid_out: bool) -> Tensor:
        if name not in self.spec.modalities:
            raise DataError(
                f"agent {self.spec.name!r} has no modality {name!r}"
                f"{nearest(name, self.spec.modalities)}"
            )
        try:
            array = np.asarray(values, dtype=np.float64)  # training's offsets may need it
        except (TypeError, ValueError):
            raise DataError(f"modality {name!r} is no array of numbers") from None
        array = _inside(name, array, self._samples[name], laid_out=laid_out)
        if not np.isfinite(array).all():
            raise DataError(f"modality {name!r} holds NaN or infinite values")
        return torch.from_numpy(self._standardisers[name].apply(array))


def _inside(
    name: str, array: NDArray[np.float64], sample: SampleShape, *, laid_out: bool
) -> NDArray[np.float64]:
    """Return samples as the network reads them: laid out as in training, as inside, or with their
    channels at the other end, where their shape leaves no doubt."""
    layout = sample.layout or Layout.as_it_is(sample.shape, sample.shape)
    if array.ndim == 1 and layout.given == (1,):
        array = array[:, None]
    shape = array.shape[1:]
    if shape == layout.given and not laid_out:
        return layout.apply(array)
    if shape == sample.shape:
        return array
    if (other := Layout.onto(sample.kind, shape, sample.shape)) and not laid_out:
        return other.apply(array)
    turned = "; order the axes so by values.transpose(...)"
    hint = turned if sorted(shape) == sorted(layout.given) else ""
    raise DataError(
        f"samples of {name!r} have shape {shape}, not {layout.given} as in training{hint}"
    )


def row_parameters(stack: AgentStack, row: int) -> dict[str, Tensor]:
    """Return one agent's parameters, as float32 on the CPU, under ``BRANCH LABEL|NAME``."""
    values: dict[str, Tensor] = {}
    for label, rows in stack.rows.items():
        params = rows.params[stack.blocks[label]][row]
        for column in rows.columns:
            part = params[column.slice].reshape(column.shape)
            values[f"{label}|{column.name}"] = part.float().cpu()
    return values


def trained_agent(
    stack: AgentStack,
    row: int,
    method: Method,
    network_spec: NetworkSpec,
    label_names: tuple[str, ...],
) -> TrainedAgent:
    """Return one agent of a stack, on its own."""
    agent = stack.agents[row]
    network = method.network(network_spec, agent)
    _load(network, row_parameters(stack, row), agent.name)
    standardisers = stack.data.standardisers[row]
    return TrainedAgent(agent, method, network, network_spec.samples, standardisers, label_names)


def agent_file(
    stack: AgentStack,
    row: int,
    *,
    method: str,
    network_spec: NetworkSpec,
    label_names: tuple[str, ...],
) -> bytes:
    """Return the file of one agent of a stack, as :func:`load_agent` reads it."""
    agent = stack.agents[row]
    tensors = row_parameters(stack, row)
    for name, standardiser in stack.data.standardisers[row].items():
        tensors[f"standardise|{name}|mean"] = torch.from_numpy(standardiser.mean)
        tensors[f"standardise|{name}|scale"] = torch.from_numpy(standardiser.scale)
    header = {
        "format": FORMAT,
        "method": method,
        "agent": asdict(agent),
        "samples": {n: asdict(network_spec.samples[n]) for n in agent.modalities},
        "classes": network_spec.classes,
        "network": asdict(network_spec.config),
        "label_names": list(label_names),
    }
    return packed(tensors, header)


def save_agent(
    path: Path,
    stack: AgentStack,
    row: int,
    *,
    method: str,
    network_spec: NetworkSpec,
    label_names: tuple[str, ...],
) -> None:
    """Write :func:`agent_file` to ``path``.

    Raises:
        OutputError: the folder cannot be written to.
    """
    content = agent_file(
        stack, row, method=method, network_spec=network_spec, label_names=label_names
    )
    write_atomically(path, content)


def load_agent(
    path: str | Path,
    *,
    encoders: Mapping[str, EncoderBuilder] | None = None,
    method: Method | None = None,
) -> TrainedAgent:
    """Read an agent that a run wrote (``DIR/agents/NAME.safetensors``).

    Args:
        path: the file.
        encoders: the builders of your own encoders by name, if it was trained with such.
        method: your own method, if it was trained with one.

    Raises:
        CheckpointError: the file is damaged or of another kind, or its parameters do not fit
            the network (an own encoder that is missing or has changed) or are not finite.
        ConfigError: it names an encoder that is not given.
    """
    tensors, header = read_tensors(Path(path))
    check_format(path, header, FORMAT)
    try:
        spec, network_spec = _spec(header), _network_spec(header, encoders or {})
        label_names = tuple(str(name) for name in header["label_names"])
        name = str(header["method"])
        standardisers = {name: _standardiser(tensors, name) for name in spec.modalities}
    except (AttributeError, KeyError, TypeError, ValueError) as reason:
        raise CheckpointError(f"{path} is damaged: it lacks or garbles {reason}") from reason
    method = method or _method(name, tensors)
    network = method.network(network_spec, spec)
    _load(network, tensors, path)
    return TrainedAgent(spec, method, network, network_spec.samples, standardisers, label_names)


def _method(name: str, tensors: Mapping[str, Tensor]) -> Method:
    """Build the method of a file; an agent of PARSE without gates sums its slices plainly."""
    gateless = not any("/gate|" in key for key in tensors)
    summed = gateless and isinstance(method_spec(name), Parse | Oracle)
    return build_method(name, {"hold_out": 0} if summed else {})


def _standardiser(tensors: Mapping[str, Tensor], modality: str) -> Standardiser:
    mean, scale = (tensors[f"standardise|{modality}|{part}"].numpy() for part in ("mean", "scale"))
    return Standardiser(mean, scale)


def _spec(header: Mapping[str, Any]) -> AgentSpec:
    agent = header["agent"]
    return AgentSpec(
        name=str(agent["name"]),
        modalities=tuple(agent["modalities"]),
        seed=int(agent["seed"]),
        encoders=tuple((str(modality), str(name)) for modality, name in agent["encoders"]),
    )


def _network_spec(header: Mapping[str, Any], encoders: Mapping[str, EncoderBuilder]) -> NetworkSpec:
    network = dict(header["network"])
    network["split"] = tuple(network["split"])
    samples = {
        name: SampleShape(name, Kind(entry["kind"]), tuple(entry["shape"]), _layout(entry))
        for name, entry in header["samples"].items()
    }
    return NetworkSpec(
        samples=samples,
        classes=int(header["classes"]),
        config=NetworkConfig(**network),
        own_encoders=encoders,
    )


def _layout(entry: Mapping[str, Any]) -> Layout | None:
    """Return the layout of the samples as they were given; older files hold none."""
    parts = entry.get("layout")
    if parts is None:
        return None
    layout = Layout(*(tuple(map(int, parts[name])) for name in ("given", "order", "shape")))
    if layout.shape != tuple(entry["shape"]):
        raise ValueError(f"layout {parts}")
    return layout.check()


def _load(network: Network, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Copy the parameters into the network, each of them exactly once."""
    for label, part in network.parts.items():
        for name, parameter in part.named_parameters():
            if not parameter.requires_grad:
                continue
            value = tensors.get(f"{label}|{name}")
            if value is not None and not value.isfinite().all():
                raise CheckpointError(
                    f"{path}: parameter {name} of {label} is not finite: the agent diverged while "
                    "it was trained; train it again at a lower learning rate"
                )
            if value is None or value.shape != parameter.shape:
                problem = "is missing" if value is None else f"has shape {tuple(value.shape)}"
                raise CheckpointError(
                    f"{path}: parameter {name} of {label} {problem}, the network needs "
                    f"{tuple(parameter.shape)}; was the agent trained with other encoders?"
                )
            with torch.no_grad():
                parameter.copy_(value)
