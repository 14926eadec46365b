"""What all sites of a federation must have alike, and where two of them differ.

An agent announces its terms: name → value, both short texts.  Sites that differ in one of them
would train side by side, or mix what does not belong together, without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from parse_dfl.peers.rejection import Reason, Rejected

SAMPLE = "sample of "
"""How the terms of one modality begin; they matter to those that own it."""

MOST_TERMS = 320
MOST_TERM_NAME = 128
MOST_TERM_VALUE = 240
MOST_TERMS_CHARACTERS = 16 << 10
MOST_SHOWN = 3


def short(text: str) -> str:
    """``text`` itself, or as much of it as an announcement has room for, and a digest of all."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    if shown == text and len(text) <= MOST_TERM_VALUE:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    end = f"… (digest {digest})"
    return shown[: MOST_TERM_VALUE - len(end)] + end


def listed(names: Sequence[str]) -> str:
    """A list in its order, as one term; lists that differ never look the same."""
    return short(f"{len(names)}: {', '.join(map(repr, names))}")


def read_terms(told: object) -> dict[str, str]:
    """The terms that an announcement holds.

    Raises:
        Rejected: they are too many, too long, or no short texts.
    """
    if not isinstance(told, dict) or len(told) > MOST_TERMS:
        raise Rejected(Reason.FRAMING, "an announcement whose terms are none")
    for name, value in told.items():
        if not (_is_text(name, MOST_TERM_NAME) and _is_text(value, MOST_TERM_VALUE)):
            raise Rejected(Reason.FRAMING, "an announcement with a term that is no short text")
    if sum(len(name) + len(value) for name, value in told.items()) > MOST_TERMS_CHARACTERS:
        raise Rejected(Reason.SIZE, "an announcement of too many terms")
    return dict(told)


def differences(
    own: Mapping[str, str], other: Mapping[str, str], *, me: str, them: str
) -> list[str]:
    """What two agents differ in, each with both values; a modality counts where both own it."""
    found = []
    for name in [*own, *(name for name in other if name not in own)]:
        mine, theirs = own.get(name), other.get(name)
        if mine == theirs or (name.startswith(SAMPLE) and (mine is None or theirs is None)):
            continue
        found.append(f"{name} is {_value(mine)} at {me} and {_value(theirs)} at {them}")
    return found


def in_a_sentence(found: Sequence[str]) -> str:
    """The first differences, and how many more there are."""
    more = len(found) - MOST_SHOWN
    return "; ".join(found[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _value(value: str | None) -> str:
    return "not told" if value is None else f"[{value}]"


def _is_text(text: object, most: int) -> bool:
    return isinstance(text, str) and 0 < len(text) <= most and text.isprintable()
