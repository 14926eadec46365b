"""A peer's state on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
