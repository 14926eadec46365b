"""Connect the ranks of one experiment: processes that share its rows.

Every rank runs the same program on its own rows.  The first one is the *main* rank: it alone prints
and writes.  Nothing is sent by pickle: bytes, text and raw tensors only.
"""

from __future__ import annotations

import atexit
import functools
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from parse_dfl.errors import ParseDflError, RankError
from parse_dfl.process import launch

TIMEOUT_S = 600.0
"""A rank that says nothing for so long is given up.  Longer than a cold compilation, or than the
first rank needs to write what all have learnt."""
PIECE_BYTES = 64 << 20
"""Long messages travel in pieces, so that no buffer is larger."""

FAILURE_KEY = "last-words"


class Ranks:
    """This process and the others, numbered from 0; of one alone, every call is trivial.

    Calls that involve others (all but ``send`` and ``receive``) must be made by every rank, in
    the same order.  When another rank is lost, they raise :class:`~parse_dfl.errors.RankError`.
    """

    def __init__(self, rank: int = 0, size: int = 1, store: Store | None = None) -> None:
        self.rank, self.size = rank, size
        self._store = store
        self._control: Any = None  # the group of all that is no row: always on the CPU

    @classmethod
    def join(cls, store: Store, rank: int, size: int, *, timeout_s: float = TIMEOUT_S) -> Ranks:
        """Connect with the others.

        Raises:
            RankError: some did not come within ``timeout_s``; it names them.
        """
        own_store = PrefixStore("parse-dfl", store)
        ranks = cls(rank, size, own_store)
        cuda = torch.cuda.is_available() and dist.is_nccl_available()
        timeout = timedelta(seconds=timeout_s)
        with ranks._connection_to("the other ranks"):
            ranks._await_all(own_store, timeout)
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if cuda else "gloo",
                store=store,
                rank=rank,
                world_size=size,
                timeout=timeout,
            )
            ranks._control = dist.new_group(backend="gloo") if cuda else dist.group.WORLD
        return ranks

    def _await_all(self, store: Store, timeout: timedelta) -> None:
        """Wait until every rank has come; torch itself would not say who is missing."""
        present = [f"here/{rank}" for rank in range(self.size)]
        store.set(present[self.rank], "")
        try:
            store.wait(present, timeout)
        except RuntimeError as reason:
            absent = [str(rank) for rank, key in enumerate(present) if not store.check([key])]
            seconds = f"{timeout.total_seconds():g} s"
            raise self._ended(
                f"waited {seconds} for rank {', '.join(absent)}, which did not come"
            ) from reason

    def leave(self) -> None:
        """Disconnect from the others, and end torch's threads.

        Torch ends them with the last reference to the group.  One that outlives the interpreter
        and lets go of a tensor then aborts the process, and torchrun all others with it.
        """
        self._control = None
        with suppress(RuntimeError):
            dist.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """Whether this rank alone prints and writes files."""
        return self.rank == 0

    def exchange(self, outgoing: Mapping[int, Tensor], incoming: Mapping[int, Tensor]) -> None:
        """Send each rank its flat tensor and fill those that come, all at once."""
        group = None if any(value.is_cuda for value in outgoing.values()) else self._control
        sends = [dist.P2POp(dist.isend, outgoing[r], r, group) for r in sorted(outgoing)]
        receives = [dist.P2POp(dist.irecv, incoming[r], r, group) for r in sorted(incoming)]
        if not sends and not receives:
            return
        whom = [*sorted(outgoing), *sorted(incoming)]
        with self._connection_to(_one_of({*whom})):
            works = dist.batch_isend_irecv([*sends, *receives])
        if len(works) < len(whom):  # coalesced
            whom = whom[: len(works)]
        for rank, work in zip(whom, works, strict=True):
            with self._connection_to(f"rank {rank}"):
                work.wait()

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set on any rank."""
        if self.size == 1:
            return flag
        flags = torch.tensor([int(flag)])
        with self._connection_to("another rank"):
            dist.all_reduce(flags, dist.ReduceOp.MAX, group=self._control)
        return bool(flags)

    def broadcast(self, value: Any) -> Any:
        """Return the main rank's ``value`` (of JSON) on every rank; that of others is ignored."""
        if self.size == 1:
            return value
        text = json.dumps(value).encode() if self.is_main else b""
        return json.loads(self._send_all(text))

    def gather(self, value: Any) -> list[Any]:
        """Return the ``value`` (of JSON) of every rank on the main one; on others nothing."""
        text = json.dumps(value).encode()
        if not self.is_main:
            self.send(text, to=0)
            return []
        return [value, *(json.loads(self.receive(rank)) for rank in range(1, self.size))]

    def send(self, content: bytes | bytearray, *, to: int) -> None:
        """Send bytes to one rank, which must :meth:`receive` them."""
        with self._connection_to(f"rank {to}"):
            dist.send(torch.tensor([len(content)]), to, self._control)
            for piece in _pieces(bytearray(content)):
                dist.send(piece, to, self._control)

    def receive(self, rank: int) -> bytearray:
        """Return the bytes that ``rank`` sends."""
        with self._connection_to(f"rank {rank}"):
            length = torch.empty(1, dtype=torch.int64)
            dist.recv(length, rank, self._control)
            content = bytearray(int(length))
            for piece in _pieces(content):
                dist.recv(piece, rank, self._control)
        return content

    def _send_all(self, content: bytes) -> bytearray:
        with self._connection_to("rank 0" if self.rank else "another rank"):
            length = torch.tensor([len(content)])
            dist.broadcast(length, 0, self._control)
            kept = bytearray(content) if self.is_main else bytearray(int(length))
            for piece in _pieces(kept):
                dist.broadcast(piece, 0, self._control)
        return kept

    def check_same(self, text: str) -> None:
        """Refuse ranks that were started on something else than the first.

        Raises:
            RankError: ``text`` differs; it names the ranks.
        """
        texts = self.broadcast(self.gather(text))
        others = [str(rank) for rank, theirs in enumerate(texts) if theirs != texts[0]]
        if others:
            raise RankError(
                f"rank {', '.join(others)} of {self.size} has another experiment than rank 0: its "
                "settings, its data or its version of the program differ",
                first=self.is_main,
            )

    @contextmanager
    def raise_together(self) -> Iterator[None]:
        """Raise an error on all ranks if a user's error is raised inside on any.

        Raises:
            ParseDflError: the rank's own error, or a :class:`RankError` that names the rank.
        """
        try:
            yield
        except RankError:
            raise
        except ParseDflError as error:
            if self.size > 1:
                self._raise_if_any(str(error))
            raise
        if self.size > 1:
            self._raise_if_any("")

    def _raise_if_any(self, failure: str) -> None:
        """Tell the others of this rank's failure; raise if it has none and another one has."""
        texts = self.broadcast(self.gather(failure))
        for rank, text in enumerate(texts):
            if text and not failure:
                raise RankError(f"rank {rank} of {self.size}: {text}", first=self.is_main)

    @contextmanager
    def report_failure(self) -> Iterator[None]:
        """Let the others know why, when they miss this rank after an error inside."""
        try:
            yield
        except BaseException as error:
            text = str(error) or type(error).__name__
            self._record_failure(f"rank {self.rank} of {self.size} ended: {text}")
            raise

    @contextmanager
    def _connection_to(self, whom: str) -> Iterator[None]:
        """Turn a broken connection, or one that is silent for too long, into an error."""
        try:
            yield
        except RuntimeError as reason:
            raise self._lost(whom, reason) from reason

    def _lost(self, whom: str, reason: RuntimeError) -> RankError:
        text = str(reason).splitlines()[0].partition("] ")[2] or str(reason).splitlines()[0]
        return self._ended(f"lost {whom}: {text.partition('. This is')[0]}")

    def _ended(self, why: str) -> RankError:
        """Return the error of this rank, or that which another one has recorded before."""
        failure = f"rank {self.rank} of {self.size} ({socket.gethostname()}) {why}"
        recorded = self._record_failure(failure)
        return RankError(recorded, first=recorded == failure)

    def _record_failure(self, text: str) -> str:
        """Record why it all ends, unless another rank has; return what is recorded."""
        if self._store is None:
            return text
        with suppress(RuntimeError):
            return self._store.compare_set(FAILURE_KEY, "", text).decode()
        return text


ALONE = Ranks()
"""One process by itself."""


@functools.cache
def launched_ranks() -> Ranks:
    """Return the ranks that this process was started among; they meet at the first call.

    Raises:
        RankError: some did not come.
    """
    launched = launch()
    if launched.size == 1:
        return ALONE
    if torch.cuda.is_available():
        torch.cuda.set_device(launched.local_rank % torch.cuda.device_count())
    with Ranks(launched.rank, launched.size)._connection_to("the place where all ranks meet"):
        store, rank, size = next(iter(rendezvous("env://", timeout=timedelta(seconds=TIMEOUT_S))))
    ranks = Ranks.join(store, rank, size, timeout_s=TIMEOUT_S)
    atexit.register(ranks.leave)
    return ranks


def _one_of(ranks: Iterable[int]) -> str:
    first, *more = sorted(ranks)
    return f"one of ranks {', '.join(map(str, (first, *more)))}" if more else f"rank {first}"


def _pieces(content: bytearray) -> Iterator[Tensor]:
    """Yield the content as tensors that share its memory."""
    if content:
        yield from torch.frombuffer(content, dtype=torch.uint8).split(PIECE_BYTES)
