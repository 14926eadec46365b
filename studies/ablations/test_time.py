"""What trained PARSE says when a slice, or a modality, is left out at test time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from parse_dfl.config import RunConfig, to_dict
from parse_dfl.engine.evaluation import evaluate
from parse_dfl.io import to_plain
from parse_dfl.networks.network import Outputs
from parse_dfl.records import ComparisonRecord, GroupStatistics, LinkBytes, MethodRecord
from parse_dfl.report.statistics import seed_values
from parse_dfl.runs.results import agent_scores, group_means, weighted_mean
from parse_dfl.runs.setup import Trial, build_trial

Prediction = Callable[[Outputs], Tensor]


def prediction_without(part: str) -> Prediction:
    """Return the sum of the slices' logits without those of a kind of slice, or of a modality.

    An agent that would have nothing left to say predicts as it does with everything.
    """

    def predict(outputs: Outputs) -> Tensor:
        if part in outputs.modality_logits:
            others = [v for name, v in outputs.modality_logits.items() if name != part]
            return torch.stack(others).sum(0) if others else outputs.logits
        kept = [v for name, v in outputs.slice_logits.items() if not name.startswith(part)]
        return torch.stack(kept).sum(0) if kept else outputs.logits

    return predict


def left_out(config: RunConfig, seeds: Sequence[int], parts: Sequence[str]) -> dict[str, Any]:
    """Train PARSE once with all seeds; a comparison of it with itself without each part."""
    trial = build_trial(config, seeds)
    simulator = trial.simulator
    for _ in range(config.training.rounds):
        simulator.step()
    samples = torch.from_numpy(trial.evaluation_samples)
    predictions: dict[str, Prediction] = {config.method: simulator.stage.predict}
    predictions |= {f"{config.method} without {part}": prediction_without(part) for part in parts}
    record = ComparisonRecord(
        data=simulator.trainer.data.source.name,
        config=to_dict(config),
        seeds=tuple(seeds),
        methods={
            name: _record(trial, seeds, samples, predict) for name, predict in predictions.items()
        },
    )
    return dict(to_plain(record))


def _record(
    trial: Trial, seeds: Sequence[int], samples: Tensor, predict: Prediction
) -> MethodRecord:
    simulator = trial.simulator
    scored = [
        (stack, evaluate(stack, simulator.trainer.data, samples, predict))
        for stack in simulator.layout.stacks
    ]
    scores = agent_scores(trial, scored)
    by_seed = [[score for score in scores if score.agent.seed == seed] for seed in seeds]
    means = [group_means(own) for own in by_seed]
    return MethodRecord(
        groups={
            group: GroupStatistics(
                **{
                    score: seed_values([groups[group][score] for groups in means])
                    for score in ("accuracy", "macro_f1", "local_accuracy")
                }
            )
            for group in means[0]
        },
        mean_accuracy=seed_values([weighted_mean(own, "accuracy") for own in by_seed]),
        payload_bytes_per_link=LinkBytes(mean=0.0, max=0),
        seconds=0.0,
        lr=simulator.trainer.lr,
    )
