"""The processes that share one experiment, and what they say to each other.

Every rank runs the same program on its own rows.  The first one *leads*: it alone prints and
writes.  Nothing is sent by pickle: bytes, text and raw tensors only.
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

PATIENCE_S = 600.0
"""A rank that says nothing for so long is given up.  Longer than a cold compilation, or than the
first rank needs to write what all have learnt."""
PIECE_BYTES = 64 << 20
"""Long messages travel in pieces, so that no buffer is larger."""

LAST_WORDS = "last-words"


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
    def join(cls, store: Store, rank: int, size: int, *, patience_s: float = PATIENCE_S) -> Ranks:
        """Meet the others.

        Raises:
            RankError: some did not come within ``patience_s``; it names them.
        """
        own_store = PrefixStore("parse-dfl", store)
        ranks = cls(rank, size, own_store)
        cuda = torch.cuda.is_available() and dist.is_nccl_available()
        patience = timedelta(seconds=patience_s)
        with ranks._contact("the other ranks"):
            ranks._roll_call(own_store, patience)
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if cuda else "gloo",
                store=store,
                rank=rank,
                world_size=size,
                timeout=patience,
            )
            ranks._control = dist.new_group(backend="gloo") if cuda else dist.group.WORLD
        return ranks

    def _roll_call(self, store: Store, patience: timedelta) -> None:
        """Wait until every rank has come; torch itself would not say who is missing."""
        present = [f"here/{rank}" for rank in range(self.size)]
        store.set(present[self.rank], "")
        try:
            store.wait(present, patience)
        except RuntimeError as reason:
            absent = [str(rank) for rank, key in enumerate(present) if not store.check([key])]
            seconds = f"{patience.total_seconds():g} s"
            raise self._ended(
                f"waited {seconds} for rank {', '.join(absent)}, which did not come"
            ) from reason

    def leave(self) -> None:
        """Part from the others, and end torch's threads.

        Torch ends them with the last reference to the group.  One that outlives the interpreter
        and lets go of a tensor then aborts the process, and torchrun all others with it.
        """
        self._control = None
        with suppress(RuntimeError):
            dist.destroy_process_group()

    @property
    def leads(self) -> bool:
        """Whether this rank prints and writes files."""
        return self.rank == 0

    def exchange(self, outgoing: Mapping[int, Tensor], incoming: Mapping[int, Tensor]) -> None:
        """Send each rank its flat tensor and fill those that come, all at once."""
        group = None if any(value.is_cuda for value in outgoing.values()) else self._control
        sends = [dist.P2POp(dist.isend, outgoing[r], r, group) for r in sorted(outgoing)]
        receives = [dist.P2POp(dist.irecv, incoming[r], r, group) for r in sorted(incoming)]
        if not sends and not receives:
            return
        whom = [*sorted(outgoing), *sorted(incoming)]
        with self._contact(_one_of({*whom})):
            works = dist.batch_isend_irecv([*sends, *receives])
        if len(works) < len(whom):  # coalesced
            whom = whom[: len(works)]
        for rank, work in zip(whom, works, strict=True):
            with self._contact(f"rank {rank}"):
                work.wait()

    def any(self, flag: bool) -> bool:
        """Whether it is so on any rank."""
        if self.size == 1:
            return flag
        told = torch.tensor([int(flag)])
        with self._contact("another rank"):
            dist.all_reduce(told, dist.ReduceOp.MAX, group=self._control)
        return bool(told)

    def tell(self, value: Any) -> Any:
        """The first rank's ``value`` (of JSON), on every rank; what others give is not looked
        at."""
        if self.size == 1:
            return value
        text = json.dumps(value).encode() if self.leads else b""
        return json.loads(self._broadcast(text))

    def gather(self, value: Any) -> list[Any]:
        """The ``value`` (of JSON) of every rank on the first one; on others nothing."""
        text = json.dumps(value).encode()
        if not self.leads:
            self.send(text, to=0)
            return []
        return [value, *(json.loads(self.receive(rank)) for rank in range(1, self.size))]

    def send(self, content: bytes | bytearray, *, to: int) -> None:
        """Send bytes to one rank, which must :meth:`receive` them."""
        with self._contact(f"rank {to}"):
            dist.send(torch.tensor([len(content)]), to, self._control)
            for piece in _pieces(bytearray(content)):
                dist.send(piece, to, self._control)

    def receive(self, rank: int) -> bytearray:
        """The bytes that ``rank`` sends."""
        with self._contact(f"rank {rank}"):
            length = torch.empty(1, dtype=torch.int64)
            dist.recv(length, rank, self._control)
            content = bytearray(int(length))
            for piece in _pieces(content):
                dist.recv(piece, rank, self._control)
        return content

    def _broadcast(self, content: bytes) -> bytearray:
        with self._contact("rank 0" if self.rank else "another rank"):
            length = torch.tensor([len(content)])
            dist.broadcast(length, 0, self._control)
            kept = bytearray(content) if self.leads else bytearray(int(length))
            for piece in _pieces(kept):
                dist.broadcast(piece, 0, self._control)
        return kept

    def check_same(self, told: str) -> None:
        """Refuse ranks that were started on something else than the first.

        Raises:
            RankError: ``told`` differs; it names the ranks.
        """
        texts = self.tell(self.gather(told))
        others = [str(rank) for rank, theirs in enumerate(texts) if theirs != texts[0]]
        if others:
            raise RankError(
                f"rank {', '.join(others)} of {self.size} has another experiment than rank 0: its "
                "settings, its data or its version of the program differ",
                first=self.leads,
            )

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """If a user's error is raised inside on any rank, all raise one.

        Raises:
            ParseDflError: the rank's own error, or a :class:`RankError` that names the rank.
        """
        try:
            yield
        except RankError:
            raise
        except ParseDflError as error:
            if self.size > 1:
                self._all_fine(str(error))
            raise
        if self.size > 1:
            self._all_fine("")

    def _all_fine(self, trouble: str) -> None:
        """Tell the others of this rank's trouble; raise if it has none and another one has."""
        texts = self.tell(self.gather(trouble))
        for rank, text in enumerate(texts):
            if text and not trouble:
                raise RankError(f"rank {rank} of {self.size}: {text}", first=self.leads)

    @contextmanager
    def parting(self) -> Iterator[None]:
        """If this rank ends by an error, the others hear the reason when they miss it."""
        try:
            yield
        except BaseException as error:
            text = str(error) or type(error).__name__
            self._last_words(f"rank {self.rank} of {self.size} ended: {text}")
            raise

    @contextmanager
    def _contact(self, whom: str) -> Iterator[None]:
        """Turn a broken connection, or one that is silent for too long, into an error."""
        try:
            yield
        except RuntimeError as reason:
            raise self._lost(whom, reason) from reason

    def _lost(self, whom: str, reason: RuntimeError) -> RankError:
        text = str(reason).splitlines()[0].partition("] ")[2] or str(reason).splitlines()[0]
        return self._ended(f"lost {whom}: {text.partition('. This is')[0]}")

    def _ended(self, why: str) -> RankError:
        """What this rank says, or what another one has said before."""
        told = f"rank {self.rank} of {self.size} ({socket.gethostname()}) {why}"
        words = self._last_words(told)
        return RankError(words, first=words == told)

    def _last_words(self, text: str) -> str:
        """Put down why it all ends, unless another rank has; what stands there."""
        if self._store is None:
            return text
        with suppress(RuntimeError):
            return self._store.compare_set(LAST_WORDS, "", text).decode()
        return text


ALONE = Ranks()
"""One process by itself."""


@functools.cache
def launched_ranks() -> Ranks:
    """The ranks that this process was started among; they meet at the first call.

    Raises:
        RankError: some did not come.
    """
    started = launch()
    if started.size == 1:
        return ALONE
    if torch.cuda.is_available():
        torch.cuda.set_device(started.local_rank % torch.cuda.device_count())
    with Ranks(started.rank, started.size)._contact("the place where all ranks meet"):
        store, rank, size = next(iter(rendezvous("env://", timeout=timedelta(seconds=PATIENCE_S))))
    ranks = Ranks.join(store, rank, size, patience_s=PATIENCE_S)
    atexit.register(ranks.leave)
    return ranks


def _one_of(ranks: Iterable[int]) -> str:
    first, *more = sorted(ranks)
    return f"one of ranks {', '.join(map(str, (first, *more)))}" if more else f"rank {first}"


def _pieces(content: bytearray) -> Iterator[Tensor]:
    """The content as tensors that share its memory."""
    if content:
        yield from torch.frombuffer(content, dtype=torch.uint8).split(PIECE_BYTES)
