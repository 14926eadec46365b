"""Announce an agent, and compare its terms with those of the others.

An announcement (:class:`PeerInfo`) is a signed record of what others must know of an agent.  Among
it are its terms: name → value, both short texts.  Sites that differ in one of them would train side
by side, or mix what does not belong together, without a word.  Agents whose terms are compatible
form a group; the largest group goes on (:func:`outvoted_by`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from parse_dfl.agents import AgentSpec, modality_set
from parse_dfl.branches import Branch
from parse_dfl.errors import ConfigError
from parse_dfl.peers.authority import Authority, Reason, Rejected
from parse_dfl.peers.certificates import is_name
from parse_dfl.peers.identity import Signer, seal, unseal
from parse_dfl.text import LARGEST

SAMPLE = "sample of "
"""How the terms of one modality begin; they matter to those that own it."""

NAMES = "class names (label_names)"
"""The term of all class names in their order; parts of a long list are numbered."""

MOST_TERMS = 320
MOST_TERM_NAME = 128
MOST_TERM_VALUE = 240
MOST_TERMS_CHARACTERS = 16 << 10
MOST_NAMES_CHARACTERS = 6 << 10
"""Of class names that are announced one by one; what comes after is known by a digest."""

MOST_SHOWN = 3

ABOUT = "info"
_Number = Annotated[int, Meta(ge=0, le=LARGEST)]
_Texts = Annotated[list[Annotated[str, Meta(max_length=256)]], Meta(max_length=256)]


class _Body(msgspec.Struct):
    """The types of an announcement's facts, as they must arrive."""

    name: str
    seed: _Number
    modalities: _Texts
    samples: Annotated[int, Meta(ge=1, le=LARGEST)]
    branches: _Texts
    created_ns: _Number
    local_steps: _Number


@dataclass(frozen=True, kw_only=True)
class PeerInfo:
    """The facts of an agent from which others compute the same overlays.

    ``seed`` is the federation's, which overlays and starting weights are drawn from;
    ``created_ns`` the time of the info in nanoseconds since 1970: of two infos of an agent the
    later one holds.  ``terms`` are what all sites must have alike;
    ``local_steps`` may differ, and others hear of it.
    """

    name: str
    seed: int
    modalities: tuple[str, ...]
    samples: int
    branches: tuple[Branch, ...]
    created_ns: int
    local_steps: int = 0
    terms: Mapping[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> AgentSpec:
        """The agent as sharing rules and topologies see it."""
        return AgentSpec(name=self.name, modalities=self.modalities, seed=self.seed)

    def to_string(self, identity: Signer) -> str:
        """Return the info as one part of a key: signed, in the alphabet of URLs."""
        content = asdict(self) | {"branches": [str(branch) for branch in self.branches]}
        record = seal(ABOUT, content, identity)
        return base64.urlsafe_b64encode(record).rstrip(b"=").decode()

    @classmethod
    def from_string(
        cls, text: str, *, federation: str, authority: Authority | None, now: float
    ) -> PeerInfo:
        """Read the info that stands in a key.

        Raises:
            Rejected: it is malformed, or not signed by whom it names.
        """
        try:
            record = base64.urlsafe_b64decode(text.encode("ascii") + b"==")
        except (binascii.Error, ValueError) as error:
            raise Rejected(Reason.FRAMING, "an announcement that cannot be read") from error
        content = unseal(ABOUT, record, federation=federation, authority=authority, now=now)
        try:
            body = msgspec.convert(content, _Body)
            modalities = modality_set(body.modalities)
            branches = tuple(Branch(*_three(text)) for text in body.branches)
        except (msgspec.ValidationError, ConfigError, ValueError) as error:
            raise Rejected(Reason.FRAMING, f"an announcement of nobody: {error}") from error
        if not is_name(body.name):
            raise Rejected(Reason.FRAMING, "an announcement of nobody")
        return cls(
            name=body.name,
            seed=body.seed,
            modalities=modalities,
            samples=body.samples,
            branches=branches,
            created_ns=body.created_ns,
            local_steps=body.local_steps,
            terms=read_terms(content.get("terms")),
        )


def _three(text: str) -> tuple[str, str, str]:
    modality, component, architecture = text.split("/")
    return modality, component, architecture


def short(text: str, most: int = MOST_TERM_VALUE) -> str:
    """Return ``text``, or as much of it as an announcement has room for, and a digest of all."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    if shown == text and len(text) <= most:
        return text
    end = f"… (digest {_digest(text)})"
    return shown[: most - len(end)] + end


def class_terms(names: Sequence[str]) -> dict[str, str]:
    """Return the terms of the class names, in their order.

    Lists travel in parts of so many names as one term holds, so that the first class that differs
    can be named; all of them, with a digest, go into one more term.
    """
    everything = f"{len(names)} classes, digest {_digest(json.dumps(list(names)))}"
    terms, used = {NAMES: everything}, 0
    part: list[str] = []
    for full_name in names:
        name = short(full_name, MOST_TERM_VALUE // 2 - 4)  # escapes may double its length
        if part and len(_listed([*part, name])) > MOST_TERM_VALUE:
            used += len(_listed(part))
            terms[f"{NAMES} {len(terms)}"] = _listed(part)
            part = []
        if used > MOST_NAMES_CHARACTERS:
            return terms
        part.append(name)
    return {**terms, f"{NAMES} {len(terms)}": _listed(part)}


def read_terms(content: object) -> dict[str, str]:
    """Return the terms that an announcement holds.

    Raises:
        Rejected: they are too many, too long, or no short texts.
    """
    if not isinstance(content, dict) or len(content) > MOST_TERMS:
        raise Rejected(Reason.FRAMING, "an announcement whose terms are none")
    for name, value in content.items():
        if not (_is_text(name, MOST_TERM_NAME) and _is_text(value, MOST_TERM_VALUE)):
            raise Rejected(Reason.FRAMING, "an announcement with a term that is no short text")
    if sum(len(name) + len(value) for name, value in content.items()) > MOST_TERMS_CHARACTERS:
        raise Rejected(Reason.SIZE, "an announcement of too many terms")
    return dict(content)


def differences(
    terms: Mapping[str, str], other: Mapping[str, str], *, me: str, them: str
) -> list[str]:
    """Return the terms in which two agents differ, each with both values.

    A modality counts where both own it; of two lists of classes the first class that differs does.
    """
    lines = []
    for name in [*terms, *(name for name in other if name not in terms)]:
        mine, theirs = terms.get(name), other.get(name)
        if mine == theirs or (name.startswith(SAMPLE) and (mine is None or theirs is None)):
            continue
        if not name.startswith(NAMES):
            lines.append(f"{name} is {_value(mine)} at {me} and {_value(theirs)} at {them}")
        elif not any(line.startswith("class ") for line in lines):
            lines.append(_class_difference(terms, other, me=me, them=them))
    return lines


def _class_difference(
    terms: Mapping[str, str], other: Mapping[str, str], *, me: str, them: str
) -> str:
    mine, theirs = list(_classes(terms)), list(_classes(other))
    for number in range(max(len(mine), len(theirs))):
        here, there = (
            repr(names[number]) if number < len(names) else "not there" for names in (mine, theirs)
        )
        if here != there:
            break
    else:
        here, there = _value(terms.get(NAMES)), _value(other.get(NAMES))
        return f"class names (label_names) are {here} at {me} and {there} at {them}"
    return f"class {number} of label_names is {here} at {me} and {there} at {them}"


def _classes(terms: Mapping[str, str]) -> Iterator[str]:
    """Yield the class names that travelled, as far as a stranger's parts can be read."""
    for number in range(1, len(terms) + 1):
        try:
            part = json.loads(terms.get(f"{NAMES} {number}", ""))
        except (ValueError, RecursionError):
            return
        if not isinstance(part, list):
            return
        yield from map(str, part)


def in_a_sentence(lines: Sequence[str]) -> str:
    """Return the first differences, and how many more there are."""
    more = len(lines) - MOST_SHOWN
    return "; ".join(lines[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def compatible(one: PeerInfo, other: PeerInfo) -> bool:
    """Return whether two agents have the same terms."""
    if one.terms == other.terms:
        return True
    return not differences(one.terms, other.terms, me=one.name, them=other.name)


def outvoted_by(me: PeerInfo, others: Mapping[str, PeerInfo]) -> list[str]:
    """Return the living that differ from this agent and are of a larger group than its own.

    A group is the agents with which an agent is compatible, itself included.  So an agent that
    differs, by mistake or on purpose, keeps nobody else from beginning; of two groups of one size
    neither is outvoted, and both wait for more.
    """
    everybody = [me, *others.values()]
    support = sum(compatible(me, info) for info in everybody)
    return [
        name
        for name, info in others.items()
        if not compatible(me, info) and sum(compatible(info, i) for i in everybody) > support
    ]


def apart(view: Mapping[str, PeerInfo], agent: str) -> dict[str, str]:
    """Return name → why an agent exchanges nothing, or learns otherwise, though its terms agree.

    Another seed or another architecture of a branch means that it is never exchanged; another
    number of local steps a round gives its parameters another weight in what all learn.
    """
    me = view[agent]
    mine = {branch.label: branch for branch in me.branches}
    reasons = {}
    for name, info in view.items():
        differing = [b.label for b in info.branches if mine.get(b.label, b) != b]
        if info.seed != me.seed:
            reasons[name] = (
                f"has seed {info.seed}, this agent {me.seed}: they will not exchange anything"
            )
        elif differing:
            labels = ", ".join(sorted(differing))
            reasons[name] = f"has another architecture of {labels}: they will not exchange it"
        elif info.local_steps != me.local_steps:
            reasons[name] = (
                f"makes {info.local_steps} local steps a round, this agent {me.local_steps}: set "
                "local_steps for the same at every site"
            )
    return reasons


def _listed(names: Sequence[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _value(value: str | None) -> str:
    return "not told" if value is None else f"[{value}]"


def _is_text(text: object, most: int) -> bool:
    return isinstance(text, str) and 0 < len(text) <= most and text.isprintable()
