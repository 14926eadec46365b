"""Ranks for tests: processes forked from a server that has imported torch once."""

from __future__ import annotations

import multiprocessing
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from parse_dfl.ranks.group import Ranks

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.ranks.rank_pool", "tests.small"])
TIMEOUT_S = 60.0


def together(
    size: int,
    work: Callable[..., Any],
    folder: Path,
    *args: Any,
    timeout_s: float = TIMEOUT_S,
) -> list[Any]:
    """What ``work(ranks, *args)`` returns on each of ``size`` ranks; an exception is returned too,
    and a rank that died gives None."""
    folder.mkdir(parents=True, exist_ok=True)
    members = []
    for rank in range(size):
        ours, theirs = SERVER.Pipe()
        process = SERVER.Process(
            target=_member, args=(theirs, rank, size, folder, timeout_s, work, args)
        )
        process.start()
        theirs.close()
        members.append((process, ours))
    return [_result(process, pipe) for process, pipe in members]


def _result(process: Any, pipe: Any) -> Any:
    try:
        return pickle.loads(pipe.recv_bytes())
    except EOFError:
        return None
    finally:
        process.join()


def _member(
    pipe: Any,
    rank: int,
    size: int,
    folder: Path,
    timeout_s: float,
    work: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), size)
    try:
        ranks = Ranks.join(store, rank, size, timeout_s=timeout_s)
        pipe.send_bytes(pickle.dumps(work(ranks, *args)))
    except Exception as error:  # noqa: BLE001 - the test judges it
        error.add_note(traceback.format_exc())
        pipe.send_bytes(pickle.dumps(error))
