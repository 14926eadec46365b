from __future__ import annotations

import errno
import os
import stat

import pytest

from parse_dfl.errors import OutputError
from parse_dfl.io import write_atomically


def test_the_content_arrives_and_nothing_else(tmp_path):
    write_atomically(tmp_path / "a", b"one")
    write_atomically(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_secrets_stay_private(tmp_path):
    write_atomically(tmp_path / "a", b"open")
    write_atomically(tmp_path / "b", b"secret", mode=0o600)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o644, 0o600]


def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a", b"old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*a: No space left on device"):
        write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match="no-such-folder/a: No such file"):
        write_atomically(tmp_path / "no-such-folder" / "a", b"")
