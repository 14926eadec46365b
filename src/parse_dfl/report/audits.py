"""``audit.json``: what the slices of a run's agents hold, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parse_dfl.report.fields import Fields, read_object
from parse_dfl.report.records import ordered_groups

AUDIT = "audit.json"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How often a probe reads a target right, 0 to 1, through the slice's channel; ``noiseless``
    without its noise, None where it has none."""

    accuracy: float
    noiseless: float | None


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the prediction owes to the slices; shares of samples, 0 to 1."""

    joint: float
    noiseless: float | None
    without: Mapping[str, float]
    alone: Mapping[str, float]
    modalities: Mapping[str, float]
    synergy_score: float | None
    spoilt: float | None


@dataclass(frozen=True, kw_only=True)
class GroupAudit:
    """The audited agents of one modality set; ``reads``: slice → target → reading."""

    agents: tuple[str, ...]
    reads: Mapping[str, Mapping[str, Reading]]
    accuracy: Parts


@dataclass(frozen=True, kw_only=True)
class Audit:
    """One run's audit; ``raw`` are the readings of the modalities themselves."""

    method: str
    data: str
    evaluated_on: str
    samples: Mapping[str, float]
    chance: Mapping[str, float]
    raw: Mapping[str, Mapping[str, float]]
    groups: Mapping[str, GroupAudit]


def read_audit(directory: Path) -> Audit | None:
    """The audit in a run's folder; None where there is none.

    Raises:
        RecordError: the file is corrupt.
    """
    path = directory / AUDIT
    if not path.exists():
        return None
    top = read_object(path)
    groups = {name: _group(fields) for name, fields in top.children("groups")}
    return Audit(
        method=top.text("method"),
        data=top.text("data"),
        evaluated_on=top.text("evaluated_on"),
        samples=top.shares("samples"),
        chance=top.shares("chance"),
        raw={name: top.child("raw").shares(name) for name in top.child("raw").values},
        groups={name: groups[name] for name in ordered_groups(groups)},
    )


def _group(fields: Fields) -> GroupAudit:
    return GroupAudit(
        agents=fields.texts("agents"),
        reads={
            slice_: {target: _reading(found) for target, found in reads.entries()}
            for slice_, reads in fields.children("reads")
        },
        accuracy=_parts(fields.child("accuracy")),
    )


def _reading(fields: Fields) -> Reading:
    return Reading(accuracy=fields.number("accuracy"), noiseless=fields.maybe("noiseless"))


def _parts(fields: Fields) -> Parts:
    return Parts(
        joint=fields.number("joint"),
        noiseless=fields.maybe("noiseless"),
        without=fields.shares("without"),
        alone=fields.shares("alone"),
        modalities=fields.shares("modalities"),
        synergy_score=fields.maybe("synergy_score"),
        spoilt=fields.maybe("spoilt"),
    )
