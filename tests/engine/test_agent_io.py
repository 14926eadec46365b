from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from parse_dfl.config import NetworkConfig
from parse_dfl.config.methods import METHODS
from parse_dfl.data.mapping import from_mapping
from parse_dfl.engine.agent_io import load_agent, save_agent, trained_agent
from parse_dfl.engine.checkpoint import read_tensors, write_tensors
from parse_dfl.errors import CheckpointError, ConfigError, DataError
from parse_dfl.methods.parse import ParseOptions, parse_method
from tests.small import federation, run_rounds, small_data

METHODS_TO_SAVE = [*METHODS, "parse@hybrid"]


def saved(simulator, folder):
    """A file for every agent of a simulator: (path, stack, row)."""
    names = simulator.trainer.data.source.label_names
    files = []
    for stack in simulator.layout.stacks:
        for row, agent in enumerate(stack.agents):
            path = folder / f"{agent.name}.safetensors"
            method, network_spec = simulator.trainer.method.name, simulator.trainer.network_spec
            save_agent(
                path, stack, row, method=method, network_spec=network_spec, label_names=names
            )
            files.append((path, stack, row))
    return files


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The file of an agent that has a and b."""
    simulator = run_rounds(federation(agents="a+b=1"), 1)
    return saved(simulator, tmp_path_factory.mktemp("agents"))[0][0]


@pytest.fixture
def agent(path):
    return load_agent(path)


def inputs(count=5):
    return {name: small_data().modalities[name][:count] for name in ("a", "b")}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))])
def test_a_copy_of_an_agent_predicts_the_same(agent, copied):
    again = copied(agent)
    assert np.array_equal(again.predict_probability(inputs()), agent.predict_probability(inputs()))


@pytest.mark.parametrize("method", METHODS_TO_SAVE)
def test_a_loaded_agent_predicts_what_the_simulator_measured(method, tmp_path):
    simulator = run_rounds(federation(method, agents="a=1,b=1,a+b=2", dtype="float32"), 6)
    data = simulator.trainer.data.source
    everything = simulator.evaluate(torch.arange(data.samples))
    measured = {
        agent.name: float(value)
        for stack, scores in everything
        for agent, value in zip(stack.agents, scores.accuracy, strict=True)
    }
    for path, stack, row in saved(simulator, tmp_path):
        loaded = load_agent(path)
        own = {name: data.modalities[name] for name in loaded.spec.modalities}
        assert loaded.spec == stack.agents[row]
        assert loaded.label_names == data.label_names
        accuracy = (loaded.predict(own) == data.label).mean()
        assert accuracy == pytest.approx(measured[loaded.spec.name], abs=1e-9)
        names = data.label_names
        kept = trained_agent(
            stack, row, simulator.trainer.method, simulator.trainer.network_spec, names
        )
        assert np.array_equal(kept.predict_probability(own), loaded.predict_probability(own))


def test_an_agent_whose_slices_are_summed_plainly_loads_as_such(tmp_path):
    method = parse_method(ParseOptions(hold_out=0))
    simulator = run_rounds(federation(method, agents="a=1,a+b=1"), 1)
    for path, stack, row in saved(simulator, tmp_path):
        loaded = load_agent(path)
        outputs = loaded.outputs({name: inputs()[name] for name in loaded.spec.modalities})
        torch.testing.assert_close(outputs.logits, sum(outputs.slice_logits.values()))
        assert loaded.spec == stack.agents[row]


@pytest.mark.parametrize("method", METHODS_TO_SAVE)
def test_a_modality_may_be_missing(method, tmp_path):
    simulator = run_rounds(federation(method, agents="a+b=1", rounds=3), 3)
    loaded = load_agent(saved(simulator, tmp_path)[0][0])
    for name, values in inputs().items():
        probability = loaded.predict_probability({name: values})
        assert probability.shape == (5, 3)
        assert np.allclose(probability.sum(1), 1, atol=1e-5)
    assert loaded.predict(inputs()).shape == (5,)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({}, r"no modality given; agent 'a\+b-0' has a\+b"),
        (np.zeros((3, 6)), r"give samples by modality, such as {'a': values}, not ndarray"),
        ({"c": np.zeros((5, 3))}, "has no modality 'c'; known: a, b"),
        ({"a": np.zeros((5, 4))}, r"samples of 'a' have shape \(4,\), not \(3,\) as in training"),
        ({"a": np.zeros(3)}, r"samples of 'a' have shape \(\), not \(3,\)"),
        ({"a": np.full((5, 3), np.nan)}, "modality 'a' holds NaN or infinite values"),
        ({"a": [["x", "y", "z"]]}, "modality 'a' is no array of numbers"),
        ({"a": [[1, 2, 3], [1]]}, "modality 'a' is no array of numbers"),
        ({"a": np.zeros((5, 3)), "b": np.zeros((4, 4))}, "modalities of unequal length: .*5.*4"),
    ],
)
def test_bad_inputs_are_refused(agent, bad, message):
    with pytest.raises(DataError, match=message):
        agent.predict(bad)


def test_an_unknown_modality_gets_the_nearest_name(tmp_path):
    simulator = federation(agents="gyro=1", data=small_data({"gyro": (3,)}))
    loaded = load_agent(saved(simulator, tmp_path)[0][0])
    with pytest.raises(DataError, match="has no modality 'gyr'; did you mean 'gyro'"):
        loaded.predict({"gyr": np.zeros((1, 3))})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_refused_by_name(path, tmp_path, share):
    content = path.read_bytes()
    (tmp_path / "x.safetensors").write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"x\.safetensors .* is damaged"):
        load_agent(tmp_path / "x.safetensors")


def test_a_checkpoint_is_no_agent(tmp_path):
    write_tensors(tmp_path / "x.safetensors", {}, {"round": 3})
    with pytest.raises(CheckpointError, match=r"x\.safetensors is no agent file"):
        load_agent(tmp_path / "x.safetensors")


def test_an_agent_that_standardised_otherwise_is_refused(path, tmp_path):
    tensors, header = read_tensors(path)
    write_tensors(tmp_path / "x.safetensors", tensors, header | {"format": "parse-dfl agent 1"})
    with pytest.raises(CheckpointError, match=r"is of another version .* standardised its inputs"):
        load_agent(tmp_path / "x.safetensors")


@pytest.mark.parametrize("lacking", ["agent", "samples", "classes", "network", "label_names"])
def test_a_header_that_lacks_something_is_damaged(path, tmp_path, lacking):
    tensors, header = read_tensors(path)
    del header[lacking]
    write_tensors(tmp_path / "x.safetensors", tensors, header)
    with pytest.raises(CheckpointError, match=f"is damaged: it lacks or garbles '{lacking}'"):
        load_agent(tmp_path / "x.safetensors")


@pytest.mark.parametrize("lacking", ["standardise|a|mean", "any/redundant|1.weight"])
def test_tensors_that_are_missing_are_named(path, tmp_path, lacking):
    tensors, header = read_tensors(path)
    del tensors[lacking]
    write_tensors(tmp_path / "x.safetensors", tensors, header)
    with pytest.raises(CheckpointError, match=r"lacks or garbles 'standard|weight of any/redundan"):
        load_agent(tmp_path / "x.safetensors")


def own_encoder(sample, hidden, dropout):
    return nn.Sequential(nn.Linear(sample.shape[0], hidden), nn.Tanh())


def test_own_encoders_must_be_given_again(tmp_path):
    network = NetworkConfig(encoders={"a": "mine"}, hidden=5, latent=6)
    own = {"mine": own_encoder}
    simulator = federation(agents="a=1", network=network, encoders=own)
    path = saved(simulator, tmp_path)[0][0]
    assert load_agent(path, encoders=own).predict({"a": np.zeros((2, 3))}).shape == (2,)
    with pytest.raises(ConfigError, match="unknown encoder 'mine'"):
        load_agent(path)
    changed = {"mine": lambda sample, hidden, dropout: nn.Linear(sample.shape[0], hidden)}
    with pytest.raises(CheckpointError, match="was the agent trained with other encoders"):
        load_agent(path, encoders=changed)


@pytest.mark.parametrize(
    "layout",
    [
        {"given": [3], "order": [1], "shape": [3]},
        {"given": [3], "order": [0], "shape": [4]},
        {"given": ["x"], "order": [0], "shape": [3]},
        {"order": [0]},
    ],
)
def test_a_layout_that_is_none_is_refused(path, tmp_path, layout):
    tensors, header = read_tensors(path)
    header["samples"]["a"]["layout"] = layout
    write_tensors(tmp_path / "x", tensors, header)
    with pytest.raises(CheckpointError, match="lacks or garbles"):
        load_agent(tmp_path / "x")


def test_a_file_that_says_nothing_of_layouts_is_read(path, tmp_path):
    tensors, header = read_tensors(path)
    for sample in header["samples"].values():
        sample.pop("layout", None)
    write_tensors(tmp_path / "x", tensors, header)
    assert np.array_equal(
        load_agent(tmp_path / "x").predict(inputs()), load_agent(path).predict(inputs())
    )


def test_a_modality_given_by_two_names(agent):
    with pytest.raises(DataError, match="'a' is given twice"):
        agent.predict({"a": inputs()["a"], " a": inputs()["a"]})


@pytest.mark.parametrize("trained_on", [(6, 6, 3), (3, 6, 6)])
def test_pictures_are_taken_with_their_channels_at_either_end(trained_on, tmp_path):
    values = np.random.default_rng(0).normal(size=(60, *trained_on))
    data = from_mapping("pictures", {"a": values}, np.arange(60) % 2, kinds={"a": "image"})
    simulator = run_rounds(federation(agents="a=2", data=data), 1)
    agent = load_agent(saved(simulator, tmp_path)[0][0])
    axes = (0, 2, 3, 1) if trained_on[0] == 3 else (0, 3, 1, 2)
    turned = agent.predict_probability({"a": values.transpose(axes)})
    np.testing.assert_allclose(agent.predict_probability({"a": values}), turned, rtol=1e-5)
    with pytest.raises(DataError, match=r"\(6, 3, 6\), not \(.*order the axes so by values.tra"):
        agent.predict({"a": np.zeros((2, 6, 3, 6))})
