"""``audit.json``: what the slices of a run's agents hold, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parse_dfl.report.reading import Fields, read_object
from parse_dfl.report.records import ordered_groups

AUDIT = "audit.json"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How often a probe reads a target right, 0 to 1, through the slice's channel; ``noiseless``
    without its noise, None where it has none."""

    accuracy: float
    noiseless: float | None


@dataclass(frozen=True, kw_only=True)
class Purity:
    """The least reading of a slice's own label bits, and the greatest of the others, with its
    name; None where there are none."""

    own: float | None
    other: float | None
    worst: str | None


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What the prediction owes to the slices; shares of samples, 0 to 1."""

    joint: float
    noiseless: float | None
    without: Mapping[str, float]
    alone: Mapping[str, float]
    modalities: Mapping[str, float]
    synergy_score: float | None
    spoilt: float | None


@dataclass(frozen=True, kw_only=True)
class Atoms:
    """A decomposition about the label, in bits; ``unique`` by modality."""

    redundant: float
    unique: Mapping[str, float]
    synergistic: float
    total: float


Measures = Mapping[str, Mapping[str, float]]
"""Name → measure → value."""


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Measures of the slices themselves: ``bits`` by ``redundant a,b``, ``predictability`` by
    ``redundant a>b``, ``dependence`` by ``redundant.a unique.a``."""

    bits: Mapping[str, Atoms]
    predictability: Measures
    dependence: Measures


@dataclass(frozen=True, kw_only=True)
class GroupAudit:
    """The audited agents of one modality set; ``reads``: slice → target → reading."""

    agents: tuple[str, ...]
    reads: Mapping[str, Mapping[str, Reading]]
    purity: Mapping[str, tuple[Purity, Purity | None]]
    accuracy: Contribution
    slices: Slices
    noiseless: Slices | None


@dataclass(frozen=True, kw_only=True)
class AcrossAudit:
    """Two unimodal agents of different modalities; by kind of slice."""

    agents: tuple[str, ...]
    modalities: tuple[str, ...]
    bits: Mapping[str, Atoms]
    predictability: Measures


@dataclass(frozen=True, kw_only=True)
class Audit:
    """One run's audit; ``raw`` are the readings of the modalities themselves, ``raw_bits`` their
    decompositions by pair, ``a,b``."""

    method: str
    data: str
    evaluated_on: str
    samples: Mapping[str, float]
    chance: Mapping[str, float]
    raw: Mapping[str, Mapping[str, float]]
    raw_bits: Mapping[str, Atoms]
    groups: Mapping[str, GroupAudit]
    across: tuple[AcrossAudit, ...]
    warnings: tuple[str, ...]


def read_audit(directory: Path) -> Audit | None:
    """The audit in a run's folder; None where there is none.

    Raises:
        RecordError: the file is corrupt.
    """
    path = directory / AUDIT
    if not path.exists():
        return None
    top = read_object(path)
    raw = top.child("raw")
    groups = {name: _group(fields) for name, fields in top.children("groups")}
    return Audit(
        method=top.text("method"),
        data=top.text("data"),
        evaluated_on=top.text("evaluated_on"),
        samples=top.shares("samples"),
        chance=top.shares("chance"),
        raw={name: raw.child("reads").shares(name) for name in raw.child("reads").values},
        raw_bits={pair: _atoms(found.child("bits")) for pair, found in raw.children("bits")},
        groups={name: groups[name] for name in ordered_groups(groups)},
        across=tuple(map(_across, top.items("across"))),
        warnings=top.texts("warnings"),
    )


def _group(fields: Fields) -> GroupAudit:
    noiseless = fields.optional_child("noiseless")
    return GroupAudit(
        agents=fields.texts("agents"),
        reads={
            name: {target: _reading(found) for target, found in reads.entries()}
            for name, reads in fields.children("reads")
        },
        purity={name: _purities(found) for name, found in fields.children("purity")},
        accuracy=_contribution(fields.child("accuracy")),
        slices=_slices(fields),
        noiseless=_slices(noiseless) if noiseless else None,
    )


def _reading(fields: Fields) -> Reading:
    return Reading(accuracy=fields.number("accuracy"), noiseless=fields.maybe("noiseless"))


def _purities(fields: Fields) -> tuple[Purity, Purity | None]:
    noiseless = fields.optional_child("noiseless")
    return _purity(fields.child("through")), _purity(noiseless) if noiseless else None


def _purity(fields: Fields) -> Purity:
    other = fields.maybe("other")
    return Purity(
        own=fields.maybe("own"),
        other=other,
        worst=None if other is None else fields.text("worst"),
    )


def _contribution(fields: Fields) -> Contribution:
    return Contribution(
        joint=fields.number("joint"),
        noiseless=fields.maybe("noiseless"),
        without=fields.shares("without"),
        alone=fields.shares("alone"),
        modalities=fields.shares("modalities"),
        synergy_score=fields.maybe("synergy_score"),
        spoilt=fields.maybe("spoilt"),
    )


def _slices(fields: Fields) -> Slices:
    dependence = fields.child("dependence")
    return Slices(
        bits={
            f"{kind} {pair}": _atoms(found.child("bits"))
            for kind, by_pair in fields.children("bits")
            for pair, found in by_pair.entries()
        },
        predictability={
            f"{kind} {way}": by_way.shares(way)
            for kind, by_way in fields.children("predictability")
            for way in by_way.values
        },
        dependence={name: dependence.shares(name) for name in dependence.values},
    )


def _across(fields: Fields) -> AcrossAudit:
    kinds = dict(fields.children("kinds"))
    return AcrossAudit(
        agents=fields.texts("agents"),
        modalities=fields.texts("modalities"),
        bits={kind: _atoms(found.child("bits").child("bits")) for kind, found in kinds.items()},
        predictability={
            f"{kind} {way}": found.child("predictability").shares(way)
            for kind, found in kinds.items()
            for way in found.child("predictability").values
        },
    )


def _atoms(fields: Fields) -> Atoms:
    return Atoms(
        redundant=fields.number("redundant"),
        unique=fields.shares("unique"),
        synergistic=fields.number("synergistic"),
        total=fields.number("total"),
    )
