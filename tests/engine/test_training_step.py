from __future__ import annotations

import shutil

import pytest
import torch
from torch import nn
from torch._inductor.exc import InvalidCxxCompiler

from parse_dfl import torch_internals
from parse_dfl.config import NetworkConfig
from parse_dfl.errors import ConfigError
from tests.small import federation, run_rounds

METHODS = (
    "parse",
    "parse-faithful",
    "parse-adaptive",
    "harmony",
    "dsgd-hybrid",
    "gradient-surgery",
)
needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("g++", "c++", "clang++")), reason="no C++ compiler"
)


@pytest.fixture
def as_written_down(monkeypatch):
    """Replay what was written down instead of compiling it, which takes seconds."""
    monkeypatch.setattr(torch_internals, "by_inductor", lambda graph, _: graph)


def state_after(rounds, **options):
    return run_rounds(federation(**options), rounds).tensors()


def assert_compiling_changes_nothing(**options):
    plain, made = state_after(4, **options), state_after(4, compiled=True, **options)
    assert plain.keys() == made.keys()
    for name, value in plain.items():
        torch.testing.assert_close(made[name], value, rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.usefixtures("as_written_down")
@pytest.mark.parametrize("method", METHODS)
def test_the_step_as_written_down_is_the_step(method):
    assert_compiling_changes_nothing(method=method, sizes=(12, 9))


@pytest.mark.usefixtures("as_written_down", "two_torch_threads")
@pytest.mark.parametrize("local_steps", [1, 6])
def test_parts_side_by_side_are_the_steps(local_steps):
    made = federation(agents="a=2,b=3,a+b=7", compiled=True)
    assert [len(stack.parts) for stack in made.layout.stacks] == [1, 1, 2]
    assert_compiling_changes_nothing(
        agents="a=2,b=3,a+b=7", sizes=(12, 9), local_steps=local_steps, absence=0.3
    )


@pytest.mark.usefixtures("as_written_down", "two_torch_threads")
def test_agents_that_change_their_modalities_are_compiled_again():
    assert_compiling_changes_nothing(agents="a=2,b=2,a+b=3", events=["2:a-0:+b"])


@pytest.mark.usefixtures("as_written_down")
@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_the_update_that_is_written_down_is_the_optimizers(optimizer, momentum):
    assert_compiling_changes_nothing(
        agents="a+b=4", optimizer=optimizer, weight_decay=0.1, momentum=momentum, absence=0.4
    )


@pytest.mark.usefixtures("as_written_down")
def test_bfloat16_is_updated_in_float32():
    plain, made = (
        state_after(2, agents="a+b=3", dtype="bfloat16", compiled=c) for c in (False, True)
    )
    for name, value in plain.items():
        torch.testing.assert_close(made[name], value, rtol=0.02, atol=0.02, msg=name)


@pytest.mark.usefixtures("as_written_down")
def test_tied_gradients_run_as_they_are_and_it_is_said():
    with pytest.warns(UserWarning, match="of oracle cannot be compiled and runs as it is"):
        made = state_after(2, method="oracle", compiled=True)
    plain = state_after(2, method="oracle")
    assert all(torch.equal(made[name], value) for name, value in plain.items())


@needs_compiler
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_the_compiled_step_is_the_step():
    assert_compiling_changes_nothing(agents="a+b=3")


class Halting(nn.Module):
    """What it computes depends on the values, and cannot be written down."""

    def __init__(self, width, out):
        super().__init__()
        self.linear = nn.Linear(width, out)

    def forward(self, input):
        out = self.linear(input)
        return out * 2 if out.sum() > 0 else out


@pytest.mark.usefixtures("as_written_down")
@pytest.mark.filterwarnings("ignore:Halting cannot be vectorised")
def test_what_cannot_be_written_down_runs_as_it_is_and_says_so():
    own = {
        "agents": "a=3",
        "network": NetworkConfig(latent=6, hidden=5, encoders={"a": "halting"}),
        "encoders": {"halting": lambda sample, width, _: Halting(sample.shape[0], width)},
    }
    with pytest.warns(
        UserWarning, match=r"of the a agents cannot be compiled and runs as it is \("
    ):
        made = state_after(2, compiled=True, **own)
    plain = state_after(2, **own)
    for name, value in plain.items():
        torch.testing.assert_close(made[name], value, rtol=1e-9, atol=1e-11)


def test_without_a_compiler_the_option_is_refused(monkeypatch):
    def broken(*_):
        raise InvalidCxxCompiler

    monkeypatch.setattr(torch_internals, "by_inductor", broken)
    with pytest.raises(
        ConfigError, match=r"--compile: .*No working C\+\+ compiler found.*; it needs"
    ):
        state_after(1, compiled=True, agents="a=3")


def test_what_the_compiler_fails_on_runs_as_it_is_and_says_so(monkeypatch):
    def failing(*_):
        raise RuntimeError("C++ compile error\nfurther")

    monkeypatch.setattr(torch_internals, "by_inductor", failing)
    with pytest.warns(UserWarning, match=r"a agents .* runs as it is \(C\+\+ compile error\)"):
        made = state_after(2, compiled=True, agents="a=3")
    plain = state_after(2, agents="a=3")
    assert all(torch.equal(made[name], value) for name, value in plain.items())


class Wrapped(RuntimeError):
    """An error as the compiler wraps it."""

    inner_exception = OSError(28, "No space left on device")


@pytest.mark.parametrize("error", [Wrapped.inner_exception, Wrapped("some part failed")])
def test_a_compiler_that_cannot_write_is_refused(monkeypatch, error):
    def failing(*_):
        raise error

    monkeypatch.setattr(torch_internals, "by_inductor", failing)
    with pytest.raises(ConfigError, match=r"--compile: .*No space left .*TORCHINDUCTOR_CACHE_DIR"):
        state_after(1, compiled=True, agents="a=3")


def test_a_torch_that_is_too_old_is_told(monkeypatch):
    monkeypatch.setattr(torch_internals, "OLDEST_COMPILER", "99")
    with pytest.raises(ConfigError, match=r"--compile needs torch 99 or newer, not "):
        state_after(1, compiled=True, agents="a=3")
