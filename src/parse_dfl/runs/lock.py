"""One writer a folder: a lock that the system releases when its process ends, however it does."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from parse_dfl.errors import OutputError
from parse_dfl.io import cannot_write

LOCK = ".lock"
"""The file in a folder that is locked; it goes with the lock, or stays, unlocked, after a kill."""
HELD = (errno.EWOULDBLOCK, errno.EACCES)
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system answers that has no locks, such as NFS without its lock service."""


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
        descriptor = _take(path)
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


def _take(path: Path) -> int:
    """The descriptor that holds the lock; the file tells others who has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _lock(descriptor, path)
            if _is_at(descriptor, path):  # its last holder may have removed it meanwhile
                told = json.dumps(_about_us()).encode()
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, told, 0)
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
    """What the holder has written about itself; nothing where it has not yet."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"pid": int(found["pid"]), "host": found["host"], "since": found["since"]}
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
    """Whether a descriptor's file is the one that stands at the path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
