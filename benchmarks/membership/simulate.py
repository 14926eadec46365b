"""The load of knowing one another, as a federation grows: full views against buckets.

Agents sit at hashes on a ring of keys, as members of an overlay do.  They leave for a while and
come back, at random and independently; every fourth vanishes without a word.  A *full view* is
what the package has now: all hear of all, over a connection to each.  With *buckets* an agent
hears of the members of its own bucket of keys and the two beside it, and keeps one contact in
each bucket that is 2, 4, 8, … buckets away.  News take equally long either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Whole = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is simulated, for one overlay.

    ``card_bytes`` is a signed info as a token's key carries it (1,495 characters were measured
    of an agent of two modalities), ``notice_bytes`` the notice that one is gone, taken for as
    long.  A token is heard of after ``spread_s``, a clean leave too; a crash after
    ``lease_s``.  ``keepalive_s`` is the pause between two signs of life on a connection.
    """

    agents: int
    bucket_size: int = 64
    seconds: int = 600
    session_s: float = 3600.0
    away_s: float = 600.0
    crash_share: float = 0.25
    card_bytes: int = 1540
    notice_bytes: int = 1540
    spread_s: int = 1
    lease_s: int = 10
    keepalive_s: float = 2.5
    keepalive_bytes: int = 90
    degree: int = 4
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Load:
    """Of one agent: the mean over agents and time, and the agent that bears most."""

    connections: float
    known: float
    known_most: float
    notices_per_second: float
    bytes_per_second: float
    wrong_neighbour_share: float


def simulate(setting: Setting) -> Mapping[str, Load]:
    """The load with a full view and with buckets, in one history of comings and goings."""
    rng = np.random.default_rng(setting.seed)
    keys = np.sort(rng.random(setting.agents))
    history = _history(setting, rng)
    buckets = 1 << max(0, round(np.log2(setting.agents / setting.bucket_size)))
    place = np.minimum((keys * buckets).astype(np.int64), buckets - 1)
    wrong = float(np.mean([_wrong(alive, believed) for alive, believed, _ in history]))
    alive = np.array([row.sum() for row, _, _ in history], dtype=float)
    events = np.array([changed.sum() for _, _, changed in history], dtype=float)
    full = _load(setting, alive.mean(), alive.max(), events.mean(), alive.mean() - 1, wrong)
    return {"full": full, "buckets": _bucketed(setting, history, place, buckets, wrong)}


def _history(setting: Setting, rng: np.random.Generator) -> list[tuple[Bools, Bools, Bools]]:
    """Per second: who is there, who is believed to be there, and whose state changed."""
    n = setting.agents
    alive = rng.random(n) < setting.session_s / (setting.session_s + setting.away_s)
    rates = 1 / setting.session_s, 1 / setting.away_s
    heard = alive.copy()  # as the others believe
    due = np.full(n, -1)  # when they will have heard of the last change
    steps = []
    for second in range(setting.seconds):
        toss = rng.random(n)
        changed = toss < np.where(alive, rates[0], rates[1])
        alive = alive ^ changed
        crashed = changed & ~alive & (rng.random(n) < setting.crash_share)
        due[changed] = second + np.where(crashed, setting.lease_s, setting.spread_s)[changed]
        told = due == second
        heard = np.where(told, alive, heard)
        steps.append((alive.copy(), heard.copy(), changed))
    return steps


def _wrong(alive: Bools, believed: Bools) -> float:
    """The share of agents whose next neighbour on the ring is another than they believe."""
    places = np.flatnonzero(alive)
    return float(np.mean(_next(alive, places) != _next(believed, places)))


def _next(there: Bools, places: Whole) -> Whole:
    """Of each place the next one that is there, round the ring."""
    known = np.flatnonzero(there)
    found = np.searchsorted(known, places, side="right")
    return np.asarray(known[found % len(known)], dtype=np.int64)


def _bucketed(
    setting: Setting,
    history: list[tuple[Bools, Bools, Bools]],
    place: Whole,
    buckets: int,
    wrong: float,
) -> Load:
    known, most, events = [], [], []
    for alive, _, changed in history:
        near = _around(np.bincount(place[alive], minlength=buckets))
        told = _around(np.bincount(place[changed], minlength=buckets))
        own = place[alive]
        known.append(near[own].mean())
        most.append(near[own].max())
        events.append(told[own].mean())
    contacts = max(0, int(np.log2(buckets)) - 1)
    connections = setting.degree + contacts
    return _load(
        setting,
        float(np.mean(known)) + contacts,
        float(np.max(most)) + contacts,
        float(np.mean(events)),
        connections,
        wrong,
    )


def _around(counts: Whole) -> Whole:
    """Of each bucket, the sum over it and the two beside it."""
    if len(counts) < 4:
        return np.full_like(counts, counts.sum())
    return counts + np.roll(counts, 1) + np.roll(counts, -1)


def _load(
    setting: Setting, known: float, most: float, events: float, connections: float, wrong: float
) -> Load:
    notice = (setting.card_bytes + setting.notice_bytes) / 2
    signs = connections * setting.keepalive_bytes / setting.keepalive_s
    return Load(
        connections=connections,
        known=known,
        known_most=most,
        notices_per_second=events,
        bytes_per_second=events * notice + 2 * signs,
        wrong_neighbour_share=wrong,
    )


def as_row(setting: Setting) -> dict[str, object]:
    """A setting and its loads, as plain values."""
    return asdict(setting) | {name: asdict(load) for name, load in simulate(setting).items()}
