"""The least time that a round's work could take: its operations and its passes over memory.

Operations are those of the plain loop's matrix products and convolutions, forward and backward,
counted by torch.  Bytes are passes over an agent's parameters: a step of SGD makes five (products
read them, gradients are written, the update reads both and writes one), a step of Adam nine (its
update also reads and writes two moments); mixing reads and writes once a round; every minibatch is
read once.  An engine that keeps some agents in the cache for all their steps goes to memory less
often, once a round for reading and once for writing each matrix but the gradients: ``least``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.ceilings import Ceilings
from benchmarks.speed.jobs import Job
from benchmarks.speed.plain_loop import PlainLoop

PASSES_PER_STEP = {"sgd": 5, "adam": 9}
PASSES_PER_ROUND = {"sgd": 2, "adam": 6}
MIXING_PASSES = 2
BYTES_PER_NUMBER = 4


@dataclass(frozen=True, kw_only=True)
class Work:
    """A round's work of a whole federation."""

    operations: int
    parameters: int  # of all agents together
    bytes: int
    least_bytes: int

    def seconds(self, ceilings: Ceilings) -> float:
        """The roofline."""
        return ceilings.seconds(self.operations, self.bytes)

    def least_seconds(self, ceilings: Ceilings) -> float:
        """The same where local steps never leave the cache."""
        return ceilings.seconds(self.operations, self.least_bytes)


def work(job: Job) -> Work:
    """Count one agent of every modality set, and multiply."""
    sets = job.mix.counts
    one_each = PlainLoop(replace(job, agents=len(sets)))
    operations = parameters = inputs = 0
    for agent, (names, count) in zip(one_each.agents, sets, strict=True):
        with FlopCounterMode(display=False) as counter:
            one_each.train(agent)
        operations += count * counter.get_total_flops()
        parameters += count * sum(value.numel() for value in agent.network.parameters())
        inputs += count * job.input_bytes(len(names))
    optimizer = job.training.optimizer
    matrix = BYTES_PER_NUMBER * parameters

    def passes(training: int) -> int:
        return matrix * (training + MIXING_PASSES) + inputs

    return Work(
        operations=operations,
        parameters=parameters,
        bytes=passes(PASSES_PER_STEP[optimizer] * job.steps),
        least_bytes=passes(PASSES_PER_ROUND[optimizer]),
    )
