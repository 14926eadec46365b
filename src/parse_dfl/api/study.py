"""Compare several methods on one federation and the same seeds, and test their differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.api.federation import Federation, open_folder, spec_or_method
from parse_dfl.api.result import RecordFolder, Result, data_frame, table_html, table_text
from parse_dfl.config import MethodSpec, RunConfig, with_values
from parse_dfl.errors import ConfigError, RecordError, UnknownNameError, nearest
from parse_dfl.methods.base import Method
from parse_dfl.process import thread_count, torch_threads
from parse_dfl.records import METRICS
from parse_dfl.report.cells import cells_of, ranked
from parse_dfl.report.load import Comparison, read_comparison
from parse_dfl.report.pairwise import pair_sentence
from parse_dfl.report.statistics import paired_difference
from parse_dfl.report.tables.results import comparison_table
from parse_dfl.runs.callbacks import Callback, CallbackListener
from parse_dfl.runs.compare import compare as run_comparison
from parse_dfl.runs.folder import read_jsonl
from parse_dfl.runs.reporting import ROLES, write_report
from parse_dfl.runs.shared_setup import NO_OVERRIDES, Overrides

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The mean accuracy of ``one`` minus that of ``other``, 0 to 1, paired by seed.

    ``half_width`` is half the 95 % interval (Student's t), None for a single seed.
    """

    one: str
    other: str
    mean: float
    half_width: float | None
    seeds: int
    sentence: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the 95 % interval; None for a single seed."""
        if self.half_width is None:
            return None
        return self.mean - self.half_width, self.mean + self.half_width

    def __str__(self) -> str:
        return self.sentence


class Study:
    """A finished comparison; ``print`` shows its table.

    Its records lie in a temporary folder, which lives as long as the study, until :meth:`save`
    puts them in place.
    """

    def __init__(
        self,
        folder: RecordFolder,
        *,
        overrides: Overrides = NO_OVERRIDES,
        methods: Mapping[str, Method] | None = None,
    ) -> None:
        self._folder, self._overrides, self._methods = folder, overrides, methods or {}
        self.comparison: Comparison = read_comparison(folder.path, ROLES)
        """Each method's accuracies, group by group and seed by seed."""

    @classmethod
    def load(cls, folder: str | Path, *, overrides: Overrides = NO_OVERRIDES) -> Study:
        """Read a comparison from its folder, whoever made it.

        Raises:
            RecordError: the folder holds no comparison.
        """
        return cls(RecordFolder(Path(folder), temporary=False), overrides=overrides)

    @property
    def folder(self) -> Path:
        """Where the records lie now."""
        return self._folder.path

    @property
    def methods(self) -> list[str]:
        """The names of the methods, in the order in which they were trained."""
        return list(self.comparison.methods)

    @property
    def best(self) -> str:
        """The method of the highest mean accuracy over all agents and seeds.

        The oracle, which sees everybody's samples, does not compete unless it is alone.
        """
        return (ranked(self.comparison) or self.methods)[0]

    @cached_property
    def results(self) -> dict[str, tuple[Result, ...]]:
        """The result of every seed by method: ``study.results["parse"][0].agents``."""
        return {
            name: tuple(
                Result(
                    self._folder,
                    f"{name}/seed-{seed}",
                    overrides=replace(self._overrides, method=self._methods.get(name)),
                )
                for seed in method.seeds
            )
            for name, method in self.comparison.methods.items()
        }

    def difference(self, one: str | MethodSpec, other: str | MethodSpec) -> Difference:
        """Return how far ``one`` is ahead of ``other`` in mean accuracy, paired by seed.

        Raises:
            UnknownNameError: one of them was not compared.
            RecordError: they share no seed in which neither diverged.
        """
        first, second = (self._name(method) for method in (one, other))
        paired = paired_difference(*cells_of(self.comparison)[0].paired(first, second))
        if paired is None:
            raise RecordError(f"{first} and {second} share no seed that can be compared")
        return Difference(
            one=first,
            other=second,
            mean=paired.mean,
            half_width=paired.half,
            seeds=paired.count,
            sentence=pair_sentence(self.comparison, first, second),
        )

    def _name(self, method: str | MethodSpec) -> str:
        name = str(method)
        if isinstance(method, MethodSpec) and name not in self.comparison.methods:
            name = method.name
        if name not in self.comparison.methods:
            raise UnknownNameError(
                f"method {name!r} was not compared{nearest(str(name), self.methods)}"
            )
        return name

    @property
    def curves(self) -> pd.DataFrame:
        """Return a row per method, seed, evaluated round and agent group.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(
            {"method": name, **row}
            for name, results in self.results.items()
            for result in results
            for row in read_jsonl(result.folder / METRICS)
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the records to ``folder``, as ``parse-dfl compare`` would have.

        Raises:
            OutputError: the folder is not empty and ``overwrite`` is not given, it holds
                neither a run nor a comparison, or it cannot be written.
        """
        return self._folder.save("", folder, overwrite=overwrite)

    def report(self) -> Path:
        """Write the page with tables and pictures into the folder, and return its path."""
        return write_report(self.folder)

    def __str__(self) -> str:
        return table_text(comparison_table(self.comparison))

    def __repr__(self) -> str:
        return f"<Study of {', '.join(self.methods)} on {self.comparison.data}: {self.best} leads>"

    def _repr_html_(self) -> str:
        return table_html(comparison_table(self.comparison))


def compare(
    federation: Federation,
    methods: Sequence[str | MethodSpec | Method],
    *,
    seeds: Iterable[int] = range(3),
    rounds: int = 100,
    callbacks: Sequence[Callback] = (),
    out: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    threads: int | str | None = None,
    **settings: Any,
) -> Study:
    """Train every method on the same agents, data and seeds, as ``parse-dfl compare`` does.

    Args:
        federation: who learns, and from what.
        methods: objects of :mod:`parse_dfl.methods`, their names, or methods of your own.
        seeds: the seeds, all of which are trained side by side.
        rounds: rounds of local training and exchange.
        callbacks: objects that hear how the runs are going.
        out: the folder to write to while it runs; None keeps the records with the study.
        overwrite: replace the comparison in ``out``.
        resume: go on with the stopped comparison in ``out``.
        threads: threads to compute on, as in :meth:`Federation.fit`.
        **settings: as those of :meth:`Federation.fit`.

    Raises:
        ParseDflError: a setting cannot be used; the message says what can.
    """
    if not isinstance(federation, Federation):
        raise ConfigError(f"the first argument must be a Federation, not {federation!r}")
    listener = CallbackListener(callbacks)
    chosen = _chosen(methods)
    numbers = _seeds(seeds)
    names = _labels(chosen)
    config = _for_many(federation.configured(rounds, numbers[0], settings), chosen, names)
    count = thread_count(threads, compiled=config.compile)
    folder = open_folder(out, overwrite=overwrite, resume=resume)
    try:
        with torch_threads(count):
            run_comparison(
                config,
                [
                    name if isinstance(method, MethodSpec) else method
                    for name, method in zip(names, chosen, strict=True)
                ],
                numbers,
                out=folder.path,
                resume=resume,
                overwrite=overwrite,
                listener=listener,
                overrides=federation.overrides(),
            )
    except BaseException:
        folder.remove()
        raise
    own_methods = {method.name: method for method in chosen if isinstance(method, Method)}
    return Study(folder, overrides=federation.overrides(), methods=own_methods)


def _chosen(methods: object) -> list[MethodSpec | Method]:
    """Return the methods of a list of objects and names, or of one alone.

    Raises:
        ConfigError: it is no list, or one of it is no method.
    """
    if isinstance(methods, str | MethodSpec | Method):
        methods = [methods]
    if not isinstance(methods, Iterable):
        raise ConfigError(f"methods must be a list, as [Parse(), 'local'], not {methods!r}")
    return [spec_or_method(method) for method in methods]


def _labels(methods: Sequence[MethodSpec | Method]) -> list[str]:
    """Return what to call each method: its name, with its options where two share the name.

    Raises:
        ConfigError: there is no method, or two cannot be told apart.
    """
    names = [method.name for method in methods]
    if not names:
        raise ConfigError("there is no method to compare; give some, as [Parse(), DSGD('hybrid')]")
    labels = [
        str(method) if names.count(name) > 1 and isinstance(method, MethodSpec) else name
        for name, method in zip(names, methods, strict=True)
    ]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(
                f"two methods are called {label!r}, and their results would be mixed up; give "
                "each once, or methods of your own different names"
            )
    return labels


def _for_many(
    config: RunConfig, methods: Sequence[MethodSpec | Method], labels: Sequence[str]
) -> RunConfig:
    """Return the configuration of a comparison: each method's options stand under its name, or in
    its label."""
    options: dict[str, float] = {}
    for method, label in zip(methods, labels, strict=True):
        if isinstance(method, MethodSpec) and label == method.name:
            options |= {f"{label}.{key}": value for key, value in method.options().items()}
            options |= {} if method.lr is None else {f"{label}.lr": method.lr}
    first = labels[0] if isinstance(methods[0], MethodSpec) else f"own:{labels[0]}"
    return with_values(config, {"method": first, "method_options": options})


def _seeds(values: object) -> list[int]:
    """Return the seeds as a list of different whole numbers.

    Raises:
        ConfigError: one is none, is negative or stands twice, or there is none at all.
    """
    if not isinstance(values, Iterable):
        raise ConfigError(f"seeds must be a list, such as range(3), not {values!r}")
    seeds = [value.item() if hasattr(value, "item") else value for value in values]
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ConfigError(f"seeds must be whole numbers from 0 up, not {seed!r}")
        if seeds.count(seed) > 1:
            raise ConfigError(f"seeds name {seed} twice; each may stand once")
    if not seeds:
        raise ConfigError("seeds are empty; give at least one, as range(3)")
    return seeds
