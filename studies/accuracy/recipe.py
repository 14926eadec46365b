"""The recipe as values: cells, units of work, and the configuration of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parse_dfl.config import DataConfig, RunConfig, TrainingConfig
from parse_dfl.errors import unknown

HERE = Path(__file__).parent
RECIPE = HERE / "recipe.toml"
RESULTS = HERE / "results"


@dataclass(frozen=True, order=True)
class Cell:
    """One data set, dealt in one way to one mix of agents, and how its inputs are standardised."""

    name: str
    mix: str
    partition: str
    standardise: str = "own"

    @property
    def folder(self) -> str:
        """``motionsense_5+5+5_dirichlet-0.3``, and ``_agreed`` where that is so."""
        dealt = f"{self.name}_{self.mix}_{self.partition.replace(':', '-')}"
        return dealt if self.standardise == "own" else f"{dealt}_{self.standardise}"

    @property
    def place(self) -> str:
        """The folder below that of all results: cells standardised otherwise have one of their own,
        so that no report mixes them with the others."""
        return self.folder if self.standardise == "own" else f"{self.standardise}/{self.folder}"

    @property
    def dealt(self) -> str:
        """The partition as a table tells it: ``dirichlet:0.3``, ``dirichlet:0.3, agreed``."""
        return self.partition if self.standardise == "own" else f"{self.partition}, agreed"


@dataclass(frozen=True)
class Unit:
    """What one process does at a time: a method on a cell, with seeds side by side."""

    cell: Cell
    method: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Matrix:
    """Cells × methods × batches of seeds; ``chosen`` goes before the settings of the recipe."""

    cells: tuple[Cell, ...]
    methods: tuple[str, ...]
    batches: tuple[tuple[int, ...], ...]
    training: Mapping[str, Any]
    evaluate_on: str
    chosen: Mapping[str, Mapping[str, Any]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds, in their order."""
        return tuple(seed for batch in self.batches for seed in batch)

    def units(self) -> Iterator[Unit]:
        """Yield all work in the order in which it is best left unfinished: all methods of a cell
        together, every cell of a mix with the first seeds before any with the next."""
        for mix in dict.fromkeys(cell.mix for cell in self.cells):
            for seeds in self.batches:
                for cell in self.cells:
                    if cell.mix == mix:
                        yield from (Unit(cell, method, seeds) for method in self.methods)


class TopologySpec:
    """``recipe.toml``, or another file like it."""

    def __init__(self, path: Path = RECIPE) -> None:
        self.values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))

    def matrix(self, name: str, sets: Sequence[str] = ()) -> Matrix:
        """Return the matrix called ``name``, or only its cells on ``sets``.

        Raises:
            ConfigError: there is no such matrix, or it has no such set.
        """
        own = self._described(name)
        for chosen in sets:
            if chosen not in own["sets"]:
                raise unknown(f"set of {name}:", chosen, own["sets"])
        cells = tuple(
            Cell(each, mix, partition, own.get("standardise", "own"))
            for mix in own["mixes"]
            for each in own["sets"]
            if not sets or each in sets
            for partition in own["partitions"]
        )
        return Matrix(
            cells=cells,
            methods=tuple(own["methods"]),
            batches=tuple(tuple(batch) for batch in own["seeds"]),
            training=self.values["training"] | own.get("training", {}),
            evaluate_on=own.get("evaluate_on", "test"),
            chosen=own.get("chosen", {}),
        )

    def _described(self, name: str) -> dict[str, Any]:
        """Return the description of a matrix, after that of the one that it is ``like``."""
        known = self.values["matrices"]
        if name not in known:
            raise unknown("matrix", name, known)
        own: dict[str, Any] = known[name]
        return (self._described(own["like"]) if "like" in own else {}) | own

    def agents(self, cell: Cell) -> str:
        """Return the mix with the set's modalities for its letters: ``top=5,bottom=5,…``."""
        return self.spelt(cell.name, self.values["mixes"][cell.mix])

    def spelt(self, name: str, text: str) -> str:
        """Return ``text`` with the modalities of the set called ``name`` for its letters."""
        modalities = self.values["sets"][name]["modalities"]
        letters = {chr(ord("A") + place): modality for place, modality in enumerate(modalities)}
        return "".join(letters.get(sign, sign) for sign in text)

    def chosen(
        self, method: str, own: Mapping[str, Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Return the settings of a method that were best on validation data, its ``lr`` among them;
        those of a matrix' ``own`` go before.  The control ``parse@RULE`` has PARSE's.
        """
        name = method.partition("@")[0]
        return self.values.get("chosen", {}).get(name, {}) | dict((own or {}).get(name, {}))

    def configuration(
        self,
        cell: Cell,
        method: str,
        *,
        training: Mapping[str, Any],
        evaluate_on: str,
        settings: Mapping[str, Any] | None = None,
    ) -> RunConfig:
        """Configure a method on a cell, with ``settings`` in the place of the chosen ones."""
        chosen = dict(self.chosen(method) if settings is None else settings)
        of_training = {name: chosen.pop(name) for name in ("lr", "rounds") if name in chosen}
        return RunConfig(
            agents=self.agents(cell),
            data=DataConfig(
                data=self.values["sets"][cell.name].get("data", cell.name),
                partition=cell.partition,
                evaluate_on=evaluate_on,
                standardise=cell.standardise,
            ),
            training=TrainingConfig(**(dict(training) | of_training)),
            method_options=chosen,
            **self.values["evaluation"],
        )
