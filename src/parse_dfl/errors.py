"""Define every error that a user can cause, as a tree.

    ParseDflError
    ├── ConfigError        a setting, a name or a mix that cannot be used
    │   └── UnknownNameError    a name that a result does not hold
    ├── DataError          a data set that cannot be read or split as asked
    ├── OverlayError       a topology that cannot be built over its members
    ├── CheckpointError    a checkpoint or agent file that does not fit
    ├── RecordError        a run record that is missing or cannot be read
    ├── OutputError        a folder that cannot be written to
    ├── IdentityError      a certificate or key that cannot be used
    ├── DivergenceError    what was trained is no number of use any more (exit status 3)
    ├── PeerError          other peers that cannot be reached, or that are refused
    └── RankError          another process of the same run that is lost, or that cannot go on

The command line turns each into one line on stderr and exit status 2, or 3 where it
is said.  A message names the
offending value, the allowed ones and, for names, the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from parse_dfl.text import as_given


class ParseDflError(Exception):
    """The root of all errors that a user can cause; it shows modalities by their given names."""

    def __str__(self) -> str:
        return as_given(super().__str__())


class ConfigError(ParseDflError):
    """A setting, a name or a mix that cannot be used."""


class UnknownNameError(ConfigError, KeyError):
    """A name that a result does not hold; also a ``KeyError``, as mappings raise it."""

    __str__ = Exception.__str__  # KeyError shows its text in quotes


class DataError(ParseDflError):
    """A data set that cannot be read or split as asked."""


class OverlayError(ParseDflError):
    """A topology that cannot be built over its members."""


class CheckpointError(ParseDflError):
    """A checkpoint or agent file that does not fit."""


class RecordError(ParseDflError):
    """A run record that is missing or cannot be read."""


class OutputError(ParseDflError):
    """A folder that cannot be written to."""


class IdentityError(ParseDflError):
    """A certificate or key that cannot be used."""


class DivergenceError(ParseDflError):
    """What was trained is no number of use any more; records say so, and are whole."""


class PeerError(ParseDflError):
    """Other peers that cannot be reached, or that are refused."""


class RankError(ParseDflError):
    """Another process of the same run that is lost, or that cannot go on.

    ``first`` says whether this process is the one that tells it; others know the same.
    """

    def __init__(self, text: str, *, first: bool = True) -> None:
        super().__init__(text)
        self.first = first


def nearest(value: str, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest valid names, then all."""
    names = sorted(names)
    close = get_close_matches(value, names, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(name) for name in close)}?" if close else ";"
    return f"{hint} known: {', '.join(names)}"


def unknown(kind: str, value: str, names: Iterable[str]) -> ConfigError:
    """Return a :class:`ConfigError` for a name that is none of the valid ``names``."""
    return ConfigError(f"unknown {kind} {value!r}{nearest(value, names)}")
