"""Choose the samples that agents are probed on, and read the probes' targets from them.

``report``  the part that the run was evaluated on (test; validation while a method is tuned)
``fit``     training samples that no agent of the run owns, and the validation part where it is
            not reported
``tune``    a fifth of those, by subject where the test part is by subject; decides sizes, rates
            and when to stop

No agent has learnt from any of them, no sample is in two of them, and none of ``fit`` or ``tune``
is a test sample.  Subjects never straddle ``fit`` and ``tune`` unless a class would be lost, nor
``report`` and the others where the test and validation parts are by subject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import pairs
from parse_dfl.analysis.pid.class_probabilities import ClassProbabilities, features
from parse_dfl.analysis.pid.estimation import decompose
from parse_dfl.analysis.probing.agent_outputs import AgentOutputs, CrossAgentPair
from parse_dfl.analysis.probing.probes import ProbeResults, Ranges, read
from parse_dfl.config import AuditConfig
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.splits import Split, hold_out
from parse_dfl.errors import DataError

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

MOST_FIT, MOST_TUNE, MOST_REPORT = 4000, 1000, 2000
"""More samples would only cost time; a seeded draw is taken."""
FEWEST = 50
"""Fewer samples to fit on read nothing."""
BOOTSTRAP = 200
LABEL = "label"
"""The target of the probes beside the true factors."""


@dataclass(frozen=True, kw_only=True)
class ProbeSamples:
    """Positions of samples in the data set, ascending, in each part."""

    fit: Indices
    tune: Indices
    report: Indices

    @property
    def all(self) -> Indices:
        """``fit``, then ``tune``, then ``report``."""
        return np.concatenate([self.fit, self.tune, self.report])

    @property
    def ranges(self) -> Ranges:
        """The range of each part within :attr:`all`."""
        ends = np.cumsum([len(self.fit), len(self.tune), len(self.report)]).tolist()
        return Ranges(
            fit=slice(0, ends[0]), tune=slice(ends[0], ends[1]), report=slice(ends[1], ends[2])
        )


def choose_samples(
    data: MultimodalData, split: Split, used: Indices, *, evaluate_on: str, seed: int = 0
) -> ProbeSamples:
    """Choose the samples to probe agents on that own the training samples ``used`` between them.

    Args:
        data: the data set.
        split: its training, validation and test part.
        used: the samples that some agent learnt from.
        evaluate_on: ``test`` or ``validation``: the part that is reported.
        seed: of the draw where there are more samples than needed.

    Raises:
        DataError: too few samples are left that no agent learnt from.
    """
    spare = np.setdiff1d(split.train, used)
    if evaluate_on == "validation":
        pool, report, apart = spare, split.validation, split.validation
    else:
        pool, report, apart = np.union1d(spare, split.validation), split.test, split.test
    if len(pool) < FEWEST:
        raise DataError(
            f"only {len(pool)} samples of {data.name!r} are owned by no agent and not reported: "
            f"too few to fit probes on; {FEWEST} are the least, leave some by a smaller "
            "--samples-per-agent"
        )
    rng = np.random.default_rng(seed)
    fit, tune = hold_out(data, pool, apart, rng)
    return ProbeSamples(
        fit=_draw(fit, MOST_FIT, rng),
        tune=_draw(tune, MOST_TUNE, rng),
        report=_draw(report, MOST_REPORT, rng),
    )


def _draw(samples: Indices, most: int, rng: np.random.Generator) -> Indices:
    return np.sort(rng.permutation(samples)[:most])


@dataclass(frozen=True, kw_only=True)
class ProbeContext:
    """The input of all measures: the probes' results, and the samples that they are of.

    ``label`` and ``subject`` (None: the set has none) have shape (samples,), over the fitted, the
    tuned and the reported samples; ``raw`` names the modalities themselves and every two of them.
    """

    results: ProbeResults
    label: Indices
    subject: Indices | None
    ranges: Ranges
    raw: Sequence[str]
    steps: int
    seed: int
    warnings: dict[str, None] = field(default_factory=dict)
    """Those of all decompositions, each once."""

    @classmethod
    def build(
        cls,
        agents: Sequence[AgentOutputs],
        cross_pairs: Sequence[CrossAgentPair],
        data: MultimodalData,
        samples: ProbeSamples,
        config: AuditConfig,
        note: Callable[[str], None],
    ) -> ProbeContext:
        """Read every target from every representation."""
        indices = samples.all
        modalities = sorted({name for outputs in agents for name in outputs.agent.modalities})
        raw = _raw(data, indices, modalities, config.seed)
        representations = {raw_name(name): values for name, values in raw.items()}
        for outputs in agents:
            representations |= outputs.named_representations()
        for pair in cross_pairs:
            representations |= pair.named_representations()
        targets = {LABEL: data.label[indices]}
        targets |= {name: values[indices] for name, values in data.factors.items()}
        note(f"{len(representations)} probes read {', '.join(targets)}")
        return cls(
            results=read(
                representations,
                targets,
                samples.ranges,
                steps=config.probe_steps,
                seed=config.seed,
            ),
            label=targets[LABEL],
            subject=None if data.subject is None else data.subject[indices],
            ranges=samples.ranges,
            raw=list(raw),
            steps=config.probe_steps,
            seed=config.seed,
        )

    def accuracy(self, representation: str) -> Mapping[str, float]:
        """Return the accuracy at which each target is read from a representation."""
        return self.results.accuracy[representation]

    def decompose(
        self, representations: tuple[str, str, str], modalities: tuple[str, str]
    ) -> dict[str, Any]:
        """Decompose representations about the label by the probes' scores (BATCH).

        The estimator's three classifiers are the probes, fitted on other samples than those
        that are decomposed, and calibrated as the estimator's own are.

        Args:
            representations: names of one modality's, the other's and both's.
            modalities: names of the two.

        Returns:
            The decomposition as in ``parse-dfl pid --out``.
        """
        report = self.ranges.report
        classes, present = np.unique(self.label[report], return_inverse=True)
        first, second, both = (
            self.results.scores[name][:, classes].astype(np.float64) for name in representations
        )
        decomposition = decompose(
            ClassProbabilities.calibrate(first, second, both, present.astype(np.int64)),
            names=modalities,
            groups=None if self.subject is None else self.subject[report],
            bootstrap=BOOTSTRAP,
            seed=self.seed,
        ).to_dict()
        self.warnings.update(dict.fromkeys(decomposition["warnings"]))
        return decomposition


def raw_name(modality: str) -> str:
    """Return the name of a modality itself, or of two of them, among the representations."""
    return f"data/{modality}"


def _raw(
    data: MultimodalData, indices: Indices, modalities: Sequence[str], seed: int
) -> dict[str, Array]:
    """Return the modalities themselves and every two of them, (samples, width).

    Samples of more than 512 numbers are reduced to 128 principal components.
    """
    single = {name: features(data.modalities[name][indices], seed) for name in modalities}
    double = {
        f"{first},{second}": np.concatenate([single[first], single[second]], axis=1)
        for first, second in pairs(modalities)
    }
    return {**single, **double}
