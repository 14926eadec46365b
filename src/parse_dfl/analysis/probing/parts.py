"""Which samples an audit fits its readers on, tunes them on, and reports.

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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.splits import Split, hold_out
from parse_dfl.errors import DataError

Indices = NDArray[np.int64]

MOST_FIT, MOST_TUNE, MOST_REPORT = 4000, 1000, 2000
"""More samples would only cost time; a seeded draw is taken."""
FEWEST = 50
"""Fewer samples to fit on read nothing."""


@dataclass(frozen=True, kw_only=True)
class AuditParts:
    """Positions of samples in the data set, ascending, in each part."""

    fit: Indices
    tune: Indices
    report: Indices

    @property
    def samples(self) -> Indices:
        """All of them: ``fit``, then ``tune``, then ``report``."""
        return np.concatenate([self.fit, self.tune, self.report])

    @property
    def places(self) -> Places:
        """Where each part lies in :attr:`samples`."""
        ends = np.cumsum([len(self.fit), len(self.tune), len(self.report)]).tolist()
        return Places(
            fit=slice(0, ends[0]), tune=slice(ends[0], ends[1]), report=slice(ends[1], ends[2])
        )


@dataclass(frozen=True, kw_only=True)
class Places:
    """Parts of an array over the audit's samples."""

    fit: slice
    tune: slice
    report: slice


def audit_parts(
    data: MultimodalData, split: Split, used: Indices, *, evaluate_on: str, seed: int = 0
) -> AuditParts:
    """The parts for agents who own the training samples ``used`` between them.

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
    return AuditParts(
        fit=_some(fit, MOST_FIT, rng),
        tune=_some(tune, MOST_TUNE, rng),
        report=_some(report, MOST_REPORT, rng),
    )


def _some(samples: Indices, most: int, rng: np.random.Generator) -> Indices:
    return np.sort(rng.permutation(samples)[:most])
