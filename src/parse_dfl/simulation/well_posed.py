"""Whether robust mixing and global momentum can work on the overlays that they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from parse_dfl.branches import Branch
from parse_dfl.errors import OverlayError
from parse_dfl.methods.method import Method
from parse_dfl.methods.robust import Robust
from parse_dfl.overlays.mixing import least_eigenvalue
from parse_dfl.training.overlays import OverlayBook, Owned


class UnguardedWarning(UserWarning):
    """Robust mixing was asked for, and something is exchanged without it."""


def check_robust(method: Method, owners: Mapping[Branch, Owned], book: OverlayBook) -> None:
    """Look at every branch's overlay of the first round.

    Raises:
        OverlayError: the robust rule is ill-posed for the neighbours that someone has there.

    Warns:
        UnguardedWarning: some components are exchanged by a rule of the method's own.
    """
    unguarded: set[str] = set()
    for number, stage in enumerate(method.stages):
        if not isinstance(stage.averaging, Robust):
            continue
        for branch, rows in owners.items():
            mixing = book.mixing(rows, stage, number, 1)
            if not len(mixing.source):
                continue
            if stage.exchange(branch) is not stage.averaging:
                unguarded.add(branch.component)
                continue
            degrees = np.bincount(mixing.target, minlength=mixing.size)
            for agent, degree in zip(rows.agents, degrees.tolist(), strict=True):
                stage.averaging.check(branch.label, agent.name, degree)
    if unguarded:
        warnings.warn(
            f"{method.name} exchanges {', '.join(sorted(unguarded))} by a rule of its own, which "
            "robust mixing does not guard against liars",
            UnguardedWarning,
            stacklevel=2,
        )


def check_momentum(
    share: float, method: Method, owners: Mapping[Branch, Owned], book: OverlayBook
) -> None:
    """Refuse a global momentum that would drive neighbours apart (training/momentum.py).

    Overlays that change from round to round are not looked at.

    Raises:
        OverlayError: an overlay's W has an eigenvalue of −1/(1 + 2 ``share``) or below.
    """
    if not share or book.topology.time_varying:
        return
    bound = -1 / (1 + 2 * share)
    for number, stage in enumerate(method.stages):
        for branch, rows in owners.items():
            mixing = book.mixing(rows, stage, number, 1)
            least = least_eigenvalue(mixing) if len(mixing.source) else 1.0
            if least <= bound:
                most = max(0.0, (-1 / least - 1) / 2)
                raise OverlayError(
                    f"global momentum {share:g} drives the agents on {branch.label} apart: W has "
                    f"an eigenvalue of {least:.3f} there, and it bears none below {bound:.3f}; use "
                    f"less than --global-momentum {most:.2f}, or another topology, such as ring"
                )
