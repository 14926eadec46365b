"""What the prediction owes to each slice, and to both modalities at once.

A prediction is the sum of its slices' logits, so that a slice is removed by leaving its logits
out (spec: ℓ = ℓ_R + Σ_m ℓ_U^m + Σ_ab ℓ_S^ab).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from parse_dfl.networks.network import Outputs


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Shares of the reported samples, 0 to 1.

    ``joint`` predicted right, and ``noiseless`` so without the channels' noise (None: there is
    none); ``without`` and ``alone`` of each slice's logits; ``modalities`` by each modality
    alone; ``synergy_score``: right, though every single modality is wrong; ``spoilt``: wrong,
    though some single modality is right (both None where there is only one modality).
    """

    joint: float
    noiseless: float | None
    without: Mapping[str, float]
    alone: Mapping[str, float]
    modalities: Mapping[str, float]
    synergy_score: float | None
    spoilt: float | None


def ablation(outputs: Outputs, label: Tensor) -> Ablation:
    """Measure one agent's outputs on samples of classes ``label``, shape (samples,).

    ``without`` and ``alone`` are empty where the logits are not the sum of the slices'.
    """
    by_slice = outputs.slice_logits
    total = torch.stack(list(by_slice.values())).sum(0)
    adds_up = torch.allclose(total, outputs.logits, rtol=1e-4, atol=1e-4)
    right = _right(outputs.logits, label)
    single = [_right(logits, label) for logits in outputs.modality_logits.values()]
    several = len(single) > 1
    any_single = torch.stack(single).any(0) if several else right
    mean_logits = outputs.mean_logits
    return Ablation(
        joint=_share(right),
        noiseless=None if mean_logits is None else _share(_right(mean_logits, label)),
        without={
            name: _share(_right(total - logits, label))
            for name, logits in by_slice.items()
            if adds_up and len(by_slice) > 1
        },
        alone={name: _share(_right(logits, label)) for name, logits in by_slice.items() if adds_up},
        modalities={
            name: _share(_right(logits, label)) for name, logits in outputs.modality_logits.items()
        },
        synergy_score=_share(right & ~any_single) if several else None,
        spoilt=_share(~right & any_single) if several else None,
    )


def _right(logits: Tensor, label: Tensor) -> Tensor:
    return logits.argmax(-1) == label


def _share(hits: Tensor) -> float:
    return float(hits.double().mean())
