"""Show the result of a run: its table, its curves, its trained agents, and probes of these.

A result reads from its folder of records, which is temporary until the result is saved.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from html import escape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from parse_dfl.config import AuditConfig
from parse_dfl.engine.agent_io import TrainedAgent, load_agent
from parse_dfl.errors import OutputError, RecordError, UnknownNameError, nearest
from parse_dfl.records import METRICS, Summary
from parse_dfl.report.formatting import Entry, Table, TerminalTable
from parse_dfl.report.load import read_run
from parse_dfl.report.tables.results import run_table
from parse_dfl.runs.audit import audit_run
from parse_dfl.runs.folder import output_folder, read_jsonl
from parse_dfl.runs.reporting import write_report
from parse_dfl.runs.shared_setup import NO_OVERRIDES, Overrides

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("parse_dfl.api")

WIDTH = 100
"""Columns of text, as everywhere in this project."""


class RecordFolder:
    """A folder of records; a temporary one is removed with the last object that holds it."""

    def __init__(self, path: Path, *, temporary: bool) -> None:
        self.path = path
        self._remove = (
            weakref.finalize(self, shutil.rmtree, path, ignore_errors=True) if temporary else None
        )

    @classmethod
    def at(cls, out: str | Path | None, *, overwrite: bool = False) -> RecordFolder:
        """Return the folder ``out``, or with None a new temporary one.

        Raises:
            OutputError: ``out`` is not empty, and ``overwrite`` is not given.
        """
        if out is None:
            return cls(Path(tempfile.mkdtemp(prefix="parse-dfl-")), temporary=True)
        _refuse_full(Path(out), overwrite=overwrite)
        return cls(Path(out), temporary=False)

    @property
    def temporary(self) -> bool:
        """Whether the folder vanishes with its last holder."""
        return self._remove is not None

    def remove(self) -> None:
        """Remove a temporary folder now."""
        if self._remove:
            self._remove()

    def save(self, part: str, target: str | Path, *, overwrite: bool) -> Path:
        """Copy what lies under ``part`` to ``target``; a whole folder then stays there.

        Raises:
            OutputError: the target is no path, is not empty, holds something else, or cannot be
                written.
        """
        if not isinstance(target, str | Path):
            raise OutputError(f"the folder to save to must be a path, not {target!r}")
        target, source = Path(target), self.path / part
        if target.resolve() == source.resolve():
            return target
        _refuse_full(target, overwrite=overwrite)
        with output_folder(target, overwrite=overwrite, resume=False):
            try:
                shutil.copytree(source, target, dirs_exist_ok=True)
            except (OSError, shutil.Error) as error:
                raise OutputError(f"cannot write to {target}: {error}") from error
        if self._remove and not part:
            self._remove()
            self._remove = None
            self.path = target
        return target


def _refuse_full(target: Path, *, overwrite: bool) -> None:
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise OutputError(
            f"{target} is not empty; give overwrite=True to replace the run there, or name "
            "another folder"
        )


class TrainedAgents(Mapping[str, TrainedAgent]):
    """The trained agents by name, each loaded when it is first asked for."""

    def __init__(
        self, folder: RecordFolder, part: str, names: list[str], overrides: Overrides
    ) -> None:
        self._folder, self._part = folder, part
        self._names, self._overrides = names, overrides
        self._loaded: dict[str, TrainedAgent] = {}

    def __getitem__(self, name: str) -> TrainedAgent:
        if name not in self._names:
            raise UnknownNameError(f"unknown agent {name!r}{nearest(str(name), self._names)}")
        if name not in self._loaded:
            path = self._folder.path / self._part / "agents" / f"{name}.safetensors"
            self._loaded[name] = load_agent(
                path, encoders=self._overrides.encoders, method=self._overrides.method
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

    def __init__(
        self, folder: RecordFolder, part: str = "", *, overrides: Overrides = NO_OVERRIDES
    ) -> None:
        self._folder, self._part, self._overrides = folder, part, overrides
        summary = read_run(self.folder).summary
        if summary is None:
            raise RecordError(f"{self.folder} holds no finished run; finish it by resume=True")
        self.summary: Summary = summary
        """How the run ended: ``mean_accuracy``, ``groups``, ``agents``, ``overlays``, payload."""

    @classmethod
    def load(cls, folder: str | Path, *, overrides: Overrides = NO_OVERRIDES) -> Result:
        """Read the result of a run from its folder, whoever made it.

        Raises:
            RecordError: the folder holds no finished run.
        """
        if not isinstance(folder, str | Path) or not Path(folder).is_dir():
            raise RecordError(f"there is no folder {str(folder)!r} to read a run from")
        return cls(RecordFolder(Path(folder), temporary=False), overrides=overrides)

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
    def overrides(self) -> Overrides:
        """The user's objects that the run was trained with."""
        return self._overrides

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
        return TrainedAgents(self._folder, self._part, names, self._overrides)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the records to ``folder``, as ``parse-dfl run`` would have.

        Raises:
            OutputError: the folder is not empty and ``overwrite`` is not given, it holds
                neither a run nor a comparison, or it cannot be written.
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


def probe(
    result: Result, *, agents_per_group: int | None = 2, probe_steps: int = 400, seed: int = 0
) -> dict[str, Any]:
    """Measure what the slices of a result's agents hold, as ``parse-dfl audit`` does.

    The measures are written to ``audit.json`` in the result's folder too, and are part of its
    report from then on.

    Args:
        result: a run of a method with slices.
        agents_per_group: agents of each modality set, drawn by the seed; None: all.
        probe_steps: minibatch steps of each probe.
        seed: of probes and draws.

    Raises:
        ParseDflError: the method's networks have no slices, or a setting is out of its range.
    """
    config = AuditConfig(agents_per_group=agents_per_group, probe_steps=probe_steps, seed=seed)
    return audit_run(result.folder, config, note=logger.info, overrides=result.overrides)


def table_text(table: Table) -> str:
    """Return a table as plain text."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None)
    console.print(TerminalTable(table))
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def table_html(table: Table) -> str:
    """Return a table as HTML, the best of each column in bold."""
    header = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    return (
        f"<table><caption>{escape(table.title)}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>{notes}"
    )


def data_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a pandas ``DataFrame``.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "curves are pandas DataFrames; install it by pip install 'parse-dfl[pandas]', "
            "or read metrics.jsonl of the result's folder"
        ) from error
    return pd.DataFrame(list(rows))


def _cell(entry: Entry) -> str:
    text = escape(entry.text)
    return f"<td><strong>{text}</strong></td>" if entry.best else f"<td>{text}</td>"
