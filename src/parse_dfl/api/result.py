"""What a run came to: its table, its curves and its trained agents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from parse_dfl.api.display import data_frame, table_html, table_text
from parse_dfl.api.folder import RecordFolder
from parse_dfl.engine.agent_io import TrainedAgent, load_agent
from parse_dfl.errors import RecordError, UnknownNameError, nearest
from parse_dfl.records import METRICS, Summary
from parse_dfl.report.load import read_run
from parse_dfl.report.tables.results import run_table
from parse_dfl.runs.folder import read_jsonl
from parse_dfl.runs.reporting import write_report
from parse_dfl.runs.shared_setup import NOTHING_OWN, Own

if TYPE_CHECKING:
    import pandas as pd


class TrainedAgents(Mapping[str, TrainedAgent]):
    """The trained agents by name, each loaded when it is first asked for."""

    def __init__(self, folder: RecordFolder, part: str, names: list[str], own: Own) -> None:
        self._folder, self._part = folder, part
        self._names, self._own = names, own
        self._loaded: dict[str, TrainedAgent] = {}

    def __getitem__(self, name: str) -> TrainedAgent:
        if name not in self._names:
            raise UnknownNameError(f"unknown agent {name!r}{nearest(str(name), self._names)}")
        if name not in self._loaded:
            path = self._folder.path / self._part / "agents" / f"{name}.safetensors"
            self._loaded[name] = load_agent(
                path, encoders=self._own.encoders, method=self._own.method
            )
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<{len(self)} trained agents: {', '.join(self._names)}>"


class Result:
    """A finished run of one method and seed; ``print`` shows its table.

    Its records lie in a temporary folder, which lives as long as the result, until
    :meth:`save` puts them in place.
    """

    def __init__(self, folder: RecordFolder, part: str = "", *, own: Own = NOTHING_OWN) -> None:
        self._folder, self._part, self._own = folder, part, own
        summary = read_run(self.folder).summary
        if summary is None:
            raise RecordError(f"{self.folder} holds no finished run; finish it by resume=True")
        self.summary: Summary = summary
        """How the run ended: ``mean_accuracy``, ``groups``, ``agents``, ``overlays``, payload."""

    @classmethod
    def load(cls, folder: str | Path, *, own: Own = NOTHING_OWN) -> Result:
        """Read the result of a run from its folder, whoever made it.

        Raises:
            RecordError: the folder holds no finished run.
        """
        return cls(RecordFolder(Path(folder), temporary=False), own=own)

    @property
    def folder(self) -> Path:
        """Where the records lie now."""
        return self._folder.path / self._part

    @property
    def method(self) -> str:
        """The method's name."""
        return self.summary.method

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.summary.seed

    @property
    def accuracy(self) -> float:
        """The mean accuracy over all agents, 0 to 1."""
        return self.summary.mean_accuracy

    @property
    def own(self) -> Own:
        """What of the user's own the run was trained with."""
        return self._own

    @property
    def curves(self) -> pd.DataFrame:
        """Return a row per evaluated round and agent group: accuracy, macro F1, local accuracy
        and loss.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(read_jsonl(self.folder / METRICS))

    @cached_property
    def agents(self) -> TrainedAgents:
        """The trained agents by name: ``result.agents["acc-0"].predict({"acc": samples})``."""
        names = [agent.name for agent in self.summary.agents]
        return TrainedAgents(self._folder, self._part, names, self._own)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the records to ``folder``, as ``parse-dfl run`` would have.

        Raises:
            OutputError: the folder is not empty and ``overwrite`` is not given, it holds something
                else than a run, or it cannot be written.
        """
        return self._folder.save(self._part, folder, overwrite=overwrite)

    def report(self) -> Path:
        """Write the page with tables and pictures into the folder, and return its path."""
        return write_report(self.folder)

    def __str__(self) -> str:
        return table_text(run_table(self.summary))

    def __repr__(self) -> str:
        return (
            f"<Result of {self.method} on {self.summary.data}, seed {self.seed}: "
            f"{100 * self.accuracy:.1f} % mean accuracy>"
        )

    def _repr_html_(self) -> str:
        return table_html(run_table(self.summary))
