"""Declare the settings of a federation: its data, its overlays, and how peers keep pace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from parse_dfl.byzantine import Attacker, Averaging, RobustRule
from parse_dfl.config.partition import IID, Partition, SampleCounts
from parse_dfl.config.topology import Ring, TopologyRule
from parse_dfl.settings import Settings, setting

DATA, EXCHANGE, PEERS = "data and agents", "exchange", "peers (--engine peers)"
"""Headings of the command line's help."""

MOST_SECONDS = 10**7


class DataConfig(Settings):
    """Which data, how they are parted, and how much of them each agent has.

    ``standardise`` is by each agent's ``own`` training samples, or by moments that the owners of
    a modality have ``agreed`` on before the first round
    (:mod:`parse_dfl.engine.gossip_standardisation`).
    """

    group: ClassVar[str] = DATA

    data: str = setting("digits", "--data NAME|FILE", "a name that 'data' lists, or a .npz file")
    partition: Partition = setting(
        IID(), "--partition RULE", "samples over agents: iid, dirichlet:ALPHA or subject"
    )
    test: str = setting(
        "auto", "--test RULE", "test part: auto, is_test, subject:3,7 or fraction:0.2"
    )
    samples_per_agent: SampleCounts | None = setting(
        None,
        "--samples-per-agent COUNT",
        "training samples of each agent: 64, a range 16..128, or by set acc=64,gyro=16..32 "
        "(else at most 64)",
    )
    evaluate_on: str = setting(
        "test",
        "--evaluate-on PART",
        "test, or validation while you are still tuning",
        choices=("test", "validation"),
    )
    standardise: str = setting(
        "own",
        "--standardise RULE",
        "inputs by each agent's own samples, or by moments agreed on by gossip: own or agreed",
        choices=("own", "agreed"),
        shared=True,
    )
    kind: Mapping[str, str] = setting(
        {},
        "--kind MODALITY=KIND",
        "kind that the shape does not tell: vector, series, image or video, with its axes as "
        "in image:chw; repeatable",
    )
    subject_key: str | None = setting(
        None, "--subject-key KEY", "column that says whose a sample is"
    )
    data_dir: str | None = setting(
        None,
        "--data-dir DIR",
        "folder of the named sets (else the environment's PARSE_DFL_DATA)",
        may_change=True,
    )


class OverlayConfig(Settings):
    """Who is whose neighbour, who is away, and who lies.

    ``by_samples`` mixes in proportion to the owners' sample counts instead of equally.
    ``absence`` is the probability that an agent misses a round.  ``robust`` takes the place of
    averaging where members may lie; ``attackers`` are agents that a simulator lets lie
    (:mod:`parse_dfl.byzantine`).
    """

    group: ClassVar[str] = EXCHANGE

    topology: TopologyRule = setting(
        Ring(),
        "--topology NAME",
        "overlay of each branch, as ring, regular:4, erdos-renyi:0.3, file:PATH",
        shared=True,
    )
    by_samples: bool = setting(
        False, "--by-samples", "weight agents by their sample counts", shared=True
    )
    absence: float = setting(
        0.0,
        "--absence P",
        "probability that an agent misses a round",
        at_least=0,
        below=1,
        shared=True,
    )
    robust: RobustRule = setting(
        Averaging(),
        "--robust RULE",
        "averaging that withstands attackers: none, clipping, balance or trimmed-mean, with "
        "settings as clipping:attackers=2, balance:gamma=1,kappa=1, "
        "trimmed-mean:attackers=0.2",
        shared=True,
    )
    attackers: tuple[Attacker, ...] = setting(
        (),
        "--attacker AGENT:ATTACK",
        "an agent sends false parameters: random, sign-flip or scale, with a strength as "
        "acc-0:scale:10; repeatable",
    )


class PeerConfig(Settings):
    """How peers keep pace with each other, and how long they have patience.

    ``pace``: ``synchronous`` rounds wait for the neighbours, at most ``deadline_s`` seconds;
    ``asynchronous`` ones mix what has arrived, older states with less weight.  A round lasts
    ``least_round_s`` seconds at least, so that slow data cost little work.  A neighbour's state
    counts for ``window`` rounds at most; ``staleness`` is the power of its discount.
    A peer that is silent for ``lease_s`` seconds is taken for gone.  ``insecure`` leaves out
    certificates and encryption: for trying things out on one machine.
    """

    group: ClassVar[str] = PEERS

    pace: str = setting(
        "synchronous",
        "--pace NAME",
        "synchronous rounds, or asynchronous gossip at each peer's own pace",
        choices=("synchronous", "asynchronous"),
        shared=True,
    )
    deadline_s: float = setting(
        10.0,
        "--deadline SECONDS",
        "a synchronous round waits for neighbours no longer",
        above=0,
        at_most=MOST_SECONDS,
    )
    least_round_s: float = setting(
        0.0,
        "--least-round SECONDS",
        "a round lasts so long at least, and spares the processor meanwhile",
        at_least=0,
        at_most=MOST_SECONDS,
    )
    lease_s: float = setting(
        10.0, "--lease SECONDS", "a peer silent for so long is gone", above=0, at_most=MOST_SECONDS
    )
    window: int = setting(
        4,
        "--window ROUNDS",
        "rounds for which a neighbour's state may be used",
        at_least=1,
        at_most=10**9,
        shared=True,
    )
    staleness: float = setting(
        0.5,
        "--staleness POWER",
        "asynchronous: an age of a rounds weighs (1 + a)^-POWER",
        at_least=0,
        at_most=1000,
        shared=True,
    )
    insecure: bool = setting(
        False, "--insecure", "no certificates, no encryption: for trials on one machine"
    )

    @property
    def longest_wait_s(self) -> float:
        """How long a synchronous round waits for neighbours: one may just have begun its pause."""
        return self.deadline_s + self.least_round_s

    @property
    def patience_s(self) -> float:
        """How long to try to send to a peer that does not read: the own pace goes first."""
        return self.deadline_s / 4 if self.pace == "synchronous" else 0.1
