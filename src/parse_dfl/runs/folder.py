"""Lock the folder of a run or comparison, and write and read its JSON files."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from parse_dfl.errors import CheckpointError, ConfigError, OutputError
from parse_dfl.io import cannot_write, json_text, write_atomically

MARKS = ("config.json", "summary.json", "comparison.json", "metrics.jsonl")
"""A folder that holds one of these is taken for a run or comparison of ours."""
LOCK = ".lock"
"""The file in a folder that is locked; it goes with the lock, or stays, unlocked, after a kill."""
HELD = (errno.EWOULDBLOCK, errno.EACCES)
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system answers that has no locks, such as NFS without its lock service."""

Row = dict[str, Any]


@contextmanager
def output_folder(out: Path, *, overwrite: bool, resume: bool) -> Iterator[Path]:
    """Make ``out`` a folder that can be written to, and hold its lock while it is.

    ``overwrite`` empties a folder that holds a run or comparison, ``resume`` keeps it.

    Raises:
        OutputError: it is a file, is not empty, is in use by another process, holds something
            else, or cannot be written.
        CheckpointError: there is nothing to resume.
        ConfigError: both ``overwrite`` and ``resume`` are asked for.
    """
    if overwrite and resume:
        raise ConfigError("--overwrite and --resume exclude each other; give one of them")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; name a folder for the output")
    check_free(out)
    if resume:
        _check_resumable(out)
    else:
        _check_replaceable(out, overwrite=overwrite)
    _check_writable(out)
    with locked(out):
        if not resume:  # another one may have ended here meanwhile
            _check_replaceable(out, overwrite=overwrite)
            _empty(out)
        yield out


def _check_replaceable(out: Path, *, overwrite: bool) -> None:
    if not _entries(out):
        return
    if not overwrite:
        raise OutputError(
            f"{out} is not empty; add --overwrite to replace what is there, "
            "--resume to go on with it, or name another --out"
        )
    if not is_ours(out) or Path.cwd().is_relative_to(out.resolve()):
        raise OutputError(
            f"{out} is no run or comparison of this program's; it is not deleted, "
            "name another --out or empty it yourself"
        )


def _entries(out: Path) -> list[Path]:
    """List what a folder holds beside its lock."""
    return [entry for entry in out.iterdir() if entry.name != LOCK] if out.is_dir() else []


def _check_resumable(out: Path) -> None:
    if not is_ours(out):
        raise CheckpointError(f"nothing to resume: {out} holds none of {', '.join(MARKS)}")


def is_ours(folder: Path) -> bool:
    """Return whether ``folder`` looks like the output of a run or comparison."""
    return any((folder / mark).is_file() for mark in MARKS)


def _empty(out: Path) -> None:
    """Delete what a folder holds, unless a run in one of its sub-folders is under way."""
    with ExitStack() as inner:
        for lock in sorted(out.rglob(f"*/{LOCK}")):
            inner.enter_context(locked(lock.parent))
        try:
            for entry in _entries(out):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        except OSError as error:
            raise cannot_write(out, error) from error


def _check_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise cannot_write(out, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder that exists.

    The lock is ``flock``'s, which Linux also passes on to an NFS server.  Where the file system
    knows none, the process that the file names decides: one that is no longer there holds nothing.

    Raises:
        OutputError: another process holds it, which is named; or the folder cannot be written to.
    """
    path = folder / LOCK
    try:
        descriptor = _acquire(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        if _is_at(descriptor, path):  # an emptied folder has lost it already
            with suppress(OSError):
                path.unlink()
        os.close(descriptor)


def check_free(folder: Path) -> None:
    """Refuse a folder that another process writes to.

    Raises:
        OutputError: it does.
    """
    if (folder / LOCK).exists():
        with locked(folder):
            pass


def _acquire(path: Path) -> int:
    """Return the descriptor that holds the lock; the file tells others who has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _lock(descriptor, path)
            if _is_at(descriptor, path):  # its last holder may have removed it meanwhile
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(_about_us()).encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            raise _in_use(path, "wait until it has ended") from error
        if error.errno not in NO_LOCKS:
            raise
        holder = _holder(path)
        if holder.get("host") not in (None, socket.gethostname()):
            raise _in_use(path, f"if it has ended, delete {path}") from error
        if holder and _is_alive(int(holder["pid"])):
            raise _in_use(path, "wait until it has ended") from error


def _in_use(path: Path, advice: str) -> OutputError:
    holder = _holder(path)
    who = (
        f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        if holder
        else "another process"
    )
    return OutputError(f"{path.parent} is in use by {who}; {advice}, or name another folder")


def _about_us() -> Mapping[str, Any]:
    since = time.strftime("%Y-%m-%d %H:%M:%S%z")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _holder(path: Path) -> Mapping[str, Any]:
    """Read what the holder has written about itself; nothing where it has not yet."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return {"pid": int(holder["pid"]), "host": holder["host"], "since": holder["since"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether a descriptor's file is the one that stands at the path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content``, whole or not at all; numbers that are not finite become null.

    Raises:
        OutputError: the folder is read-only or the disk is full.
    """
    write_atomically(path, f"{json_text(content, indent=2)}\n".encode())


def read_json(path: Path) -> Row:
    """Read what :func:`write_json` wrote.

    Raises:
        CheckpointError: the file is missing, cannot be read, or is no JSON object.
    """
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise CheckpointError(f"{path} is no JSON file: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return content


def append_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add a line a row; numbers that are not finite become null.

    Raises:
        OutputError: the folder is read-only or the disk is full.
    """
    text = _lines(rows)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from error


def read_jsonl(path: Path) -> list[Row]:
    """Read the rows of a file, without a last line that a kill cut short.

    Raises:
        CheckpointError: the file is missing, cannot be read, or a line is no JSON object.
    """
    rows = []
    *whole, _cut = _text(path).split("\n")
    for number, line in enumerate(whole, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CheckpointError(f"line {number} of {path} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise CheckpointError(f"line {number} of {path} holds no JSON object")
        rows.append(row)
    return rows


def rewrite_jsonl(path: Path, keep: Callable[[Row], bool]) -> None:
    """Drop the rows that a resumed run will write again; a missing file stays missing.

    Raises:
        CheckpointError: the file cannot be read.
        OutputError: the folder is read-only or the disk is full.
    """
    if path.exists():
        write_atomically(path, _lines(row for row in read_jsonl(path) if keep(row)).encode())


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"{json_text(row)}\n" for row in rows)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is no text file: {error}") from error
