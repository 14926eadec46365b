"""Declare the settings of what every agent trains: its networks, and its local steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from parse_dfl.agents import modality_key, modality_set
from parse_dfl.config.federation import EXCHANGE
from parse_dfl.errors import ConfigError
from parse_dfl.process import memory_bytes
from parse_dfl.settings import Settings, setting
from parse_dfl.text import LARGEST, LARGEST_REAL

METHOD, TRAINING, MACHINE = "method and network", "local training", "evaluation and machine"
"""Headings of the command line's help."""

FUSIONS = ("concat", "sum", "product", "gated", "attention")

AUTO = "auto"
"""The split that is proposed from the data."""

MOST_RATIO = 1e6
"""Of the slices' widths; a latent is never as wide."""

MOST_WIDTH = 1 << 20
"""A layer beyond it has terabytes."""

MOST_COUNT = 10**9


def _check_split(split: tuple[float, float, float] | str) -> None:
    if isinstance(split, str):
        if split != AUTO:
            raise ConfigError(f"split {split!r} must be three ratios, such as 1,1,1, or {AUTO}")
        return
    shown = ",".join(f"{ratio:g}" for ratio in split)
    if min(split) < 0:
        raise ConfigError(f"split {shown} has a negative ratio; a slice of ratio 0 is left out")
    if max(split) > MOST_RATIO:
        raise ConfigError(f"split {shown} has a ratio above {MOST_RATIO:g}; write one as 1,1,1")
    if sum(split) == 0:
        raise ConfigError(f"split {shown} sums to zero; give one slice at least a width, as 1,1,1")


def _check_encoders(encoders: Mapping[str, str]) -> None:
    for target in encoders:
        group, _, modality = target.rpartition(":")
        if modality_key(modality, within=target) not in modality_set(group or modality):
            raise ConfigError(
                f"encoder for {target!r}: agents of {group!r} have no modality {modality!r}; "
                "write MODALITY or GROUP:MODALITY, such as 'acc+gyro:acc'"
            )


class NetworkConfig(Settings):
    """Widths and operators that all methods share, so that no method is simply larger.

    ``split`` holds the relative widths of the redundant, unique and synergistic slices of the
    latent; a slice of ratio zero does not exist; ``auto`` proposes them from the training data
    (:mod:`parse_dfl.runs.auto_split`).  ``encoders`` maps ``MODALITY`` or ``GROUP:MODALITY``
    (``acc+gyro:acc``) to an encoder's name; what it leaves out uses the default of the modality's
    kind.
    """

    group: ClassVar[str] = METHOD

    latent: int = setting(
        96,
        "--latent D",
        "width of a modality's latent",
        at_least=1,
        at_most=MOST_WIDTH,
        shared=True,
    )
    hidden: int = setting(
        64, "--hidden WIDTH", "width of hidden layers", at_least=1, at_most=MOST_WIDTH, shared=True
    )
    split: tuple[float, float, float] | str = setting(
        (1.0, 1.0, 1.0),
        "--split R,U,S|auto",
        "relative widths of the redundant, unique and synergistic slice; 0 leaves one out; "
        "auto: by the bits that the training data have of each",
        check=_check_split,
        shared=True,
    )
    fusion: str = setting(
        "concat",
        "--fusion NAME",
        "",
        choices=FUSIONS,
        shared=True,
    )
    dropout: float = setting(
        0.2, "--dropout P", "share of units dropped in training", at_least=0, below=1, shared=True
    )
    encoders: Mapping[str, str] = setting(
        {},
        "--encoder [SET:]MODALITY=NAME",
        "encoder of a modality, for all agents or those of one set; repeatable",
        check=_check_encoders,
    )


class TrainingConfig(Settings):
    """What every agent does with its own samples between two exchanges.

    ``local_steps`` None means ``local_epochs`` times the median agent's number of batches;
    ``lr`` None means the method's own default, tuned on validation data.  ``prior_correction``
    is the strength of the logit adjustment by local label counts (Menon et al., ICLR 2021):
    0 is plain cross-entropy.  ``momentum`` is that of SGD and of Adam's first moment (β₁).
    ``global_momentum`` moves an agent on, before its local steps, by this share of how far the
    last round moved it, exchange included (Lin et al., ICML 2021).  ``share_moments`` "second"
    averages Adam's second moment together with the parameters and doubles the payload.
    ``mixed_precision`` computes forward passes in bfloat16 (on CUDA as a rule; parameters,
    optimizer and mixing stay as ``dtype`` says).  ``dtype`` "bfloat16" keeps parameters and moments
    in half the memory and computes in it, but mixes in float32; on processors without bfloat16 it
    is slower.  ``memory_limit``, such as ``2GiB``, bounds what the process holds: rows are trained
    and evaluated in chunks that fit; it is part of the configuration, since other chunks round
    otherwise.
    """

    group: ClassVar[str] = TRAINING

    rounds: int = setting(
        100,
        "--rounds T",
        "rounds of local training and mixing",
        at_least=1,
        at_most=LARGEST,
        shared=True,
    )
    local_epochs: int = setting(
        1,
        "--local-epochs E",
        "passes over the samples a round",
        at_least=1,
        at_most=MOST_COUNT,
        shared=True,
    )
    local_steps: int | None = setting(
        None,
        "--local-steps K",
        "batches a round, in place of --local-epochs",
        at_least=1,
        at_most=MOST_COUNT,
        shared=True,
    )
    batch_size: int = setting(
        32, "--batch-size B", "samples a batch", at_least=1, at_most=MOST_COUNT, shared=True
    )
    optimizer: str = setting(
        "adam", "--optimizer NAME", "", choices=("adam", "adamw", "sgd"), shared=True
    )
    lr: float | None = setting(
        None,
        "--lr RATE",
        "learning rate (else the method's own)",
        above=0,
        at_most=LARGEST_REAL,
        shared=True,
    )
    schedule: str = setting(
        "cosine",
        "--schedule NAME",
        "of the rate: cosine or constant",
        choices=("cosine", "constant"),
        shared=True,
    )
    momentum: float = setting(
        0.9,
        "--momentum M",
        "momentum of sgd; β₁ of adam and adamw",
        at_least=0,
        below=1,
        shared=True,
    )
    global_momentum: float = setting(
        0.0,
        "--global-momentum M",
        "move on by this share of the last round's way, exchange included",
        at_least=0,
        below=1,
        shared=True,
    )
    weight_decay: float = setting(
        0.0, "--weight-decay W", "weight decay", at_least=0, at_most=LARGEST_REAL, shared=True
    )
    prior_correction: float = setting(
        1.0,
        "--prior-correction TAU",
        "logit adjustment by local label counts; 0: plain cross-entropy",
        at_least=0,
        at_most=LARGEST_REAL,
        shared=True,
    )
    dtype: str = setting(
        "float32", "--dtype NAME", "", choices=("float32", "float64", "bfloat16"), shared=True
    )
    keep_best: bool = setting(
        False,
        "--keep-best",
        "early stopping: end with the parameters of the evaluation at which all agents together "
        "did best on validation samples",
    )
    mixed_precision: bool = setting(
        False, "--mixed-precision", "forward passes in bfloat16; pays on CUDA"
    )
    share_moments: str = setting(
        "none",
        "--share-moments NAME",
        "none, or second: average Adam's second moment too, at twice the payload",
        group=EXCHANGE,
        choices=("none", "second"),
        shared=True,
    )
    memory_limit: str | None = setting(
        None,
        "--memory-limit SIZE",
        "what the process may hold, such as 2GiB: rows are worked on in chunks that fit",
        group=MACHINE,
        check=memory_bytes,
    )
