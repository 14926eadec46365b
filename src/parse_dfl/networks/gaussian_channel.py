"""The noisy channel of a slice: z = μ + ε, ε ~ N(0, I), in training and ever after.

What a slice holds is what can be read through the noise, so that information has a price: a
mean of length ‖μ‖ carries at most ½‖μ‖² nats.  Prediction and every reader get the same z.

In training ε belongs to the agent, round and step, as every draw does.  Afterwards it belongs to
the sample: a hash of what the sensor said, so that a sample is read alike in any batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from parse_dfl.branches import stable_hash
from parse_dfl.networks.counter_rng import CounterRng, current_draws, hash_tensor

GRAIN = 256
"""Inputs are hashed in steps of 1/256, far above the rounding differences between engines."""


def through_noise(mean: Tensor, input: Tensor, name: str) -> Tensor:
    """What is read of ``mean`` (…, B, D), the slice called ``name`` of samples ``input``
    (…, B, *shape)."""
    draws = current_draws()
    if draws is None:
        return mean + sample_noise(mean, input, name)
    return mean + draws.normal(mean.shape, mean.dtype)


@torch.no_grad()
def sample_noise(mean: Tensor, input: Tensor, name: str) -> Tensor:
    """Standard normal noise like ``mean`` (…, B, D), a function of ``input`` and ``name`` alone."""
    flat = input.reshape(mean.shape[:-1].numel(), -1)
    words = (flat.double() * GRAIN).round().to(torch.int64)
    counters = torch.arange(flat.shape[1], device=flat.device)
    keys = hash_tensor(words, counters).sum(1) ^ stable_hash("channel", name)
    noise = CounterRng(keys).normal(torch.Size((len(keys), mean.shape[-1])), mean.dtype)
    return noise.view(mean.shape)
