"""A peer's state on disk, and when it is to stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX
from typing import Any

from parse_dfl.differences import differences
from parse_dfl.engine.checkpoint import FORMAT, check_format, read_tensors, write_tensors
from parse_dfl.engine.trainer import Trainer
from parse_dfl.errors import CheckpointError, OutputError

CHECKPOINT = "checkpoint.safetensors"


class StateFile:
    """The checkpoint of one agent; ``experiment`` names what its numbers depend on, ``settings``
    say what that is to a person.

    Randomness needs no place in it: it is a function of agent and round.
    """

    def __init__(
        self,
        folder: Path,
        agent: str,
        experiment: str,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._path = folder / CHECKPOINT
        self._settings = settings or {}
        self._who = {"agent": agent, "experiment": experiment}

    def save(self, trainer: Trainer, more: Mapping[str, Any]) -> str | None:
        """Write the state after the trainer's round; None, or why that was not possible.

        A full disk stops the checkpoint, not the training; the last good file is still there.
        """
        header = {
            "format": FORMAT,
            **self._who,
            "round": trainer.round,
            "settings": self._settings,
            **more,
        }
        try:
            write_tensors(self._path, trainer.tensors(), header)
        except OutputError as reason:
            return f"no checkpoint of round {trainer.round}: {reason}"
        return None

    def load(self, trainer: Trainer) -> dict[str, Any] | None:
        """Let the trainer go on from the file; what else was saved, None if there is none.

        Raises:
            CheckpointError: it is damaged, or of another agent or experiment.
        """
        if not self._path.exists():
            return None
        tensors, header = read_tensors(self._path)
        check_format(self._path, header, FORMAT)
        for name, value in self._who.items():
            if header.get(name) != value:
                told = differences(header.get("settings", {}), self._settings)
                what = "; ".join(told) if told and "settings" in header else "its data differ"
                if name == "agent":
                    what = f"{header.get(name)!r}, not {value!r}"
                raise CheckpointError(
                    f"{self._path} is the checkpoint of another {name} ({what}); start it as "
                    "before, or in another folder"
                )
        trainer.restore(tensors, header["round"])
        return header


class Stop:
    """Whether somebody has asked to stop, and after which round."""

    def __init__(self) -> None:
        self._after: int | None = None
        self._held = False
        self._calls: SimpleQueue[None] = SimpleQueue()  # may be put into by a signal's handler

    @property
    def asked(self) -> bool:
        """Whether it was asked for, now or later."""
        return self._after is not None

    def ask(self, after_round: int = 0) -> None:
        """Stop once ``after_round`` is done; 0: after the round under way."""
        self._after = after_round
        self._held = False
        self._calls.put(None)

    def hold(self) -> None:
        """Let no other round begin until it is said after which one to stop."""
        self._held = True
        self._calls.put(None)

    def due(self, done: int) -> bool:
        """Whether to stop after ``done`` rounds."""
        return self._after is not None and done >= self._after

    def due_within(self, seconds: float, *, done: int) -> bool:
        """Whether it is due after ``done`` rounds, now or in so many seconds.

        It waits for as long, longer while it is held, and returns at once when it is due.
        """
        end = time.monotonic() + seconds
        while not self.due(done) and (self._held or time.monotonic() < end):
            left = TIMEOUT_MAX if self._held else end - time.monotonic()
            with suppress(Empty):
                self._calls.get(timeout=min(max(0.0, left), TIMEOUT_MAX))
        return self.due(done)
