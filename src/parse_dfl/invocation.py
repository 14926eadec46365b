"""How this program was called: hints name commands that work where the user stands."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "parse-dfl"
MODULE = "parse_dfl"


def command(*words: str) -> str:
    """``parse-dfl WORDS…`` as the user would type it, quoted for the shell.

    Called by a path that is not on the search path, it is that path; called as a module, it is
    ``python -m parse_dfl`` with the same interpreter.  Within a program of the user's own it is
    the plain name.
    """
    return shlex.join([*_called_as(), *words])


def _called_as() -> list[str]:
    called = Path(sys.argv[0]) if sys.argv else Path()
    if called.name == "__main__.py" and called.parent.name == MODULE:
        return [_as_typed(sys.orig_argv[0], sys.executable), "-m", MODULE]
    if called.name == NAME:
        return [_as_typed(sys.argv[0], sys.argv[0])]
    return [NAME]


def _as_typed(text: str, path: str) -> str:
    """The bare name where the shell finds the same file by it, else what was typed."""
    found = shutil.which(Path(text).name)
    return Path(text).name if found and _same_file(found, path) else text


def _same_file(one: str, other: str) -> bool:
    """Whether two paths name one file of the same folder: environments link to one interpreter."""
    return Path(one).absolute() == Path(other).absolute()
