"""The settings of local training, in a file that costs nothing to import."""

from __future__ import annotations

from dataclasses import dataclass

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("cosine", "constant")
SHARED_MOMENTS = ("none", "second")
DTYPES = ("float32", "float64", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """What every agent does with its own samples between two exchanges.

    ``local_steps`` None means ``local_epochs`` times the median agent's number of batches;
    ``lr`` None means the method's own default, tuned on validation data.  ``prior_correction``
    is the strength of the logit adjustment by local label counts (Menon et al., ICLR 2021):
    0 is plain cross-entropy.  ``momentum`` is that of SGD and of Adam's first moment (β₁).
    ``global_momentum`` moves an agent on, before its local steps, by this share of how far the
    last round moved it, exchange included (Lin et al., ICML 2021; training/momentum.py).
    ``share_moments`` "second" averages Adam's second moment together with the parameters and
    doubles the payload.  ``mixed_precision`` computes forward passes in bfloat16 (on CUDA as a
    rule; parameters, optimizer and mixing stay as ``dtype`` says).  ``dtype`` "bfloat16" keeps
    parameters and moments in half the memory and computes in it, but mixes in float32; on
    processors without bfloat16 it is slower.  ``memory_limit``, such as
    ``2GiB``, bounds what the process holds: rows are trained and evaluated in chunks that fit
    (training/memory.py); it is part of the configuration, since other chunks round otherwise.
    """

    rounds: int = 100
    local_epochs: int = 1
    local_steps: int | None = None
    batch_size: int = 32
    optimizer: str = "adam"
    lr: float | None = None
    momentum: float = 0.9
    global_momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "cosine"
    share_moments: str = "none"
    prior_correction: float = 1.0
    dtype: str = "float32"
    mixed_precision: bool = False
    memory_limit: str | None = None
