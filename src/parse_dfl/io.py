"""Write files atomically (temporary file, then rename), and read and write records as JSON.

A record is a dataclass whose fields are the keys of a JSON object.  msgspec checks what is read;
it is imported only where something is.
"""

from __future__ import annotations

import copy
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from parse_dfl.errors import OutputError, RecordError

T = TypeVar("T")


def json_text(content: Any, *, indent: int | None = None) -> str:
    """Return ``content`` as JSON, which has no NaN and no infinity: null stands in for them.

    Names of files that are not UTF-8 are escaped, so that the text can be written and read back.
    """
    plain = _finite(content)
    text = json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(plain, indent=indent, allow_nan=False)
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


def write_atomically(path: Path, content: bytes | bytearray, *, mode: int = 0o644) -> None:
    """Write ``content`` to ``path`` so that a kill or a full disk never leaves half a file.

    ``mode`` are its permissions; nobody else can read it before it has them.

    Raises:
        OutputError: the folder is missing or read-only, or the disk is full; what stood at
            ``path`` before is still there.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)  # temporary files are born private
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the error for a file or folder that the system refuses to write, with its reason."""
    return OutputError(f"cannot write {path}: {error.strerror or error}")


def to_plain(record: Any) -> Any:
    """Return a record as JSON values, the fields in their order."""
    if is_dataclass(record):
        return {
            entry.name: to_plain(value)
            for entry in fields(record)
            if (value := getattr(record, entry.name)) != entry.default
            or "omitted" not in entry.metadata
        }
    if isinstance(record, Mapping):
        return {name: to_plain(value) for name, value in record.items()}
    if isinstance(record, list | tuple):
        return [to_plain(value) for value in record]
    return record


def read_record(path: Path, kind: type[T]) -> T:
    """Read a file that holds one record.

    Raises:
        RecordError: the file cannot be read, or holds no such record.
    """
    return decode(load_json(path), kind, str(path))


def load_json(path: Path) -> dict[str, Any]:
    """Read a file that holds a JSON object.

    Raises:
        RecordError: the file cannot be read, or holds something else.
    """
    return _object(_text(path), str(path))


def read_lines(path: Path, kind: type[T], *, finished: bool) -> tuple[T, ...]:
    """Read a file that holds a record a line; a missing file holds none.

    Args:
        path: the file.
        kind: what a line holds.
        finished: whether the run is; the last line of others may be half written.

    Raises:
        RecordError: the file cannot be read, or a line holds no such record.
    """
    if not path.exists():
        return ()
    lines = _text(path).splitlines()
    if lines and not finished and not lines[-1].endswith("}"):
        lines.pop()
    sources = [f"{path}, line {number}" for number in range(1, len(lines) + 1)]
    return tuple(
        decode(_object(line, source), kind, source)
        for line, source in zip(lines, sources, strict=True)
    )


def _object(text: str, source: str) -> dict[str, Any]:
    """Return the JSON object in ``text``, null for NaN; ``source`` names it in complaints.

    The standard library decodes it: msgspec refuses file names that are no UTF-8.
    """
    try:
        content = json.loads(text, parse_constant=lambda _: None)
    except ValueError as error:
        raise RecordError(f"{source} is no valid JSON ({error}); run it again") from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise RecordError(f"{source} holds {kind}, not a JSON object; run it again")
    return content


def decode(content: object, kind: type[T], source: str) -> T:
    """Return JSON values as a record; ``source`` names them in complaints.

    Raises:
        RecordError: a value is missing, or of another type; the message names its path.
    """
    import msgspec

    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise RecordError(f"{source}{_complaint(content, kind, str(error))}") from error


def _complaint(content: object, kind: type[Any], message: str) -> str:
    """Return the end of a sentence: the path, what stands there, and what was expected."""
    what, _, path = message.partition(" - at ")
    path, value = _locate(content, kind, path.strip("`") or "$", message)
    if missing := re.search(r"required field `(\w+)`", what):
        return (
            f" lacks {path}.{missing[1]}: it was cut short, or another version wrote it; "
            "run it again"
        )
    return f": {path} is {value!r:.60}; {what[0].lower()}{what[1:]}"


def _locate(content: Any, kind: type[Any], path: str, message: str) -> tuple[str, object]:
    """Return ``path`` with keys in place of each ``[...]``, and the value there.

    msgspec does not say which key of a mapping is wrong: it is the one that, left alone in its
    mapping, is complained of in the same words.
    """
    content = copy.deepcopy(content)
    node, named = content, "$"
    for step in re.findall(r"[^.\[\]]+|\.\.\.", path.removeprefix("$")):
        if step == "...":
            step = _wrong_key(content, node, kind, message)
        named += f"[{step}]" if isinstance(node, Sequence) else f".{step}"
        node = node[int(step)] if isinstance(node, Sequence) else node[step]
    return named, node


def _wrong_key(content: object, mapping: dict[str, Any], kind: type[Any], message: str) -> str:
    import msgspec

    for key, value in list(mapping.items()):
        others = dict(mapping)
        mapping.clear()
        mapping[key] = value
        try:
            msgspec.convert(content, kind)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return key
        mapping.clear()
        mapping.update(others)
    raise AssertionError(message)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"cannot read {path}: {error}") from error
