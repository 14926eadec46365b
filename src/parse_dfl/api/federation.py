"""Describe a federation (who owns what, who talks to whom, what may go wrong) and fit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from parse_dfl.agents import AgentMix, AgentSpec, ModalityChange, check_changes, modality_set
from parse_dfl.api.dataset import Dataset, load_dataset
from parse_dfl.api.result import RecordFolder, Result
from parse_dfl.byzantine import Attacker, check_attackers
from parse_dfl.config import (
    SETTINGS,
    MethodSpec,
    Partition,
    RunConfig,
    TopologyRule,
    method_spec,
    with_values,
)
from parse_dfl.config.topology import OwnTopology
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.partition import partition as deal
from parse_dfl.data.splits import split
from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.methods.base import Method
from parse_dfl.networks.encoders import EncoderBuilder, SampleShape, encoder_builder
from parse_dfl.overlays.topologies import Topology
from parse_dfl.process import launch, thread_count, torch_threads
from parse_dfl.runs.callbacks import Callback, CallbackListener
from parse_dfl.runs.run import run
from parse_dfl.runs.shared_setup import Overrides, mix_for

if TYPE_CHECKING:
    import networkx as nx

OF_METHOD = ("method", "method_options", "seed", "training.rounds")
"""Paths of what ``fit`` takes as arguments of its own."""


class Federation:
    """Agents with their parts of a data set, and the overlays on which they meet.

    Everything is checked when it is built.

    Args:
        data: the data set, or the name of one.
        agents: agents per modality set, ``{"acc": 5, "acc+gyro": 2}`` or ``"acc=5,acc+gyro=2"``;
            None: five of each set, for data of two modalities.
        partition: how training samples are dealt: :class:`IID`, :class:`Dirichlet`,
            :class:`BySubject`, or their text (``"dirichlet:0.3"``).
        topology: who is whose neighbour on each branch's overlay: :class:`Ring`,
            :class:`Regular`, …, their text (``"regular:4"``, ``"file:PATH"``), a networkx graph
            over the agents' names, or a :class:`Topology` of your own.
        samples_per_agent: ``64``, a range ``(16, 128)`` or either by modality set; None: at most
            64.
        test: the test part: ``auto``, ``is_test``, ``subject:3,7`` or ``fraction:0.2``.
        evaluate_on: ``test``, or ``validation`` while you are still tuning.
        standardise: inputs by each agent's ``own`` samples, or by moments ``agreed`` on by gossip.
        by_samples: weigh neighbours by their sample counts.
        absence: the probability that an agent misses a round.
        attackers: agents that send false parameters.
        changes: modalities that agents gain or lose while they train.
        encoders: a modality's encoder, by name or a function ``(sample, hidden, dropout)`` →
            ``torch.nn.Module``, under ``"acc"`` for all agents or ``"acc+gyro:acc"`` for those
            of one modality set.

    Raises:
        ParseDflError: an argument cannot be used; the message says what can.
    """

    def __init__(
        self,
        data: MultimodalData | str | Path,
        agents: Mapping[str, int] | AgentMix | str | None = None,
        *,
        partition: Partition | str = "iid",
        topology: TopologyRule | Topology | nx.Graph | str = "ring",
        samples_per_agent: int | tuple[int, int] | Mapping[str, Any] | str | None = None,
        test: str = "auto",
        evaluate_on: str = "test",
        standardise: str = "own",
        by_samples: bool = False,
        absence: float = 0.0,
        attackers: Sequence[Attacker | str] = (),
        changes: Sequence[ModalityChange | str] = (),
        encoders: Mapping[str, str | EncoderBuilder] | None = None,
    ) -> None:
        self.data = _dataset(data)
        names, self._builders = _encoder_names(encoders or {})
        self._topology = _own_topology(topology)
        values = {
            **self.data.settings,
            "agents": agents,
            "data.partition": partition,
            "overlay.topology": OwnTopology(self._topology.name) if self._topology else topology,
            "data.samples_per_agent": samples_per_agent,
            "data.test": test,
            "data.evaluate_on": evaluate_on,
            "data.standardise": standardise,
            "overlay.by_samples": by_samples,
            "overlay.absence": absence,
            "overlay.attackers": attackers,
            "events": changes,
            "network.encoders": names,
        }
        self.config: RunConfig = with_values(RunConfig(), values)
        """What the command line would be told, but for the method and its training."""
        self.mix: AgentMix = mix_for(self.config.agents, self.data.modalities)
        self._check()

    @property
    def agents(self) -> list[AgentSpec]:
        """The agents, named ``acc-0``, ``acc-1``, …, ``acc+gyro-0``, …"""
        return self.mix.agents()

    def fit(
        self,
        method: str | MethodSpec | Method = "parse",
        *,
        rounds: int = 100,
        seed: int = 0,
        callbacks: Sequence[Callback] = (),
        out: str | Path | None = None,
        overwrite: bool = False,
        resume: bool = False,
        threads: int | str | None = None,
        **settings: Any,
    ) -> Result:
        """Train all agents by one method, as ``parse-dfl run`` does, and evaluate them.

        Args:
            method: an object of :mod:`parse_dfl.methods`, its name, or a
                :class:`~parse_dfl.methods.base.Method` of your own.
            rounds: rounds of local training and exchange.
            seed: of everything random; equal seeds give equal numbers.
            callbacks: objects that hear how the run is going.
            out: the folder to write to while it runs; None keeps the records with the result.
            overwrite: replace the run in ``out``.
            resume: go on with the stopped run in ``out``.
            threads: threads to compute on while it trains: a number, ``"all"`` processors, or None:
                ``OMP_NUM_THREADS``, else one (all with ``compile=True``).
            **settings: further settings by the names that ``parse-dfl run --help`` has, such as
                ``lr=0.01, batch_size=64, latent=48, robust=Clipping(), device="cuda"``.  A
                learning rate of the method's object comes before ``lr``.

        Raises:
            ParseDflError: a setting cannot be used; the message says what can.
        """
        chosen = spec_or_method(method)
        config = _for_one(self.configured(rounds, seed, settings), chosen)
        listener = CallbackListener(callbacks)
        count = thread_count(threads, compiled=config.compile)
        overrides = self.overrides(None if isinstance(chosen, MethodSpec) else chosen)
        handed_over = (
            overrides if config.engine == "simulate" or self._needs_python(overrides) else None
        )
        folder = open_folder(out, overwrite=overwrite, resume=resume)
        try:
            with torch_threads(count):
                run(
                    config,
                    out=folder.path,
                    resume=resume,
                    overwrite=overwrite,
                    listener=listener,
                    overrides=handed_over,
                )
        except BaseException:
            folder.remove()
            raise
        return Result(folder, overrides=overrides)

    def configured(self, rounds: int, seed: int, settings: Mapping[str, Any]) -> RunConfig:
        """Return the configuration with rounds, seed and further settings by their names.

        Raises:
            ConfigError: a setting is unknown (the nearest are offered), belongs to the federation,
                or cannot be used.
        """
        paths = {entry.name: path for path, entry in SETTINGS.items() if path not in OF_METHOD}
        for name in settings:
            if name not in paths:
                raise ConfigError(f"unknown setting {name!r}{nearest(name, [*paths, 'rounds'])}")
            if _is_of_federation(paths[name]):
                raise ConfigError(f"{name!r} belongs to the federation; give it to Federation(...)")
        values = {paths[name]: value for name, value in settings.items()}
        return with_values(self.config, {"training.rounds": rounds, "seed": seed, **values})

    def overrides(self, method: Method | None = None) -> Overrides:
        """Return what the run is given from Python in place of names."""
        return Overrides(
            data=self.data, encoders=self._builders, topology=self._topology, method=method
        )

    def _needs_python(self, overrides: Overrides) -> bool:
        """Return whether another process could not load all of it by name."""
        return bool(
            overrides.encoders
            or overrides.topology
            or overrides.method
            or not self.data.can_be_loaded_again
        )

    def _check(self) -> None:
        """Refuse what the data, or the agents, do not allow."""
        agents, config = self.agents, self.config
        names = [agent.name for agent in agents]
        (self._topology or Topology.of(config.overlay.topology)).check(names)
        check_attackers(config.overlay.attackers, names)
        last = max((change.round for change in config.events), default=1)
        check_changes(config.events, agents, self.mix.modalities, last)
        train = split(self.data, config.data.test).train
        self._check_encoders()
        deal(
            self.data,
            train,
            agents,
            config.data.partition,
            samples_per_agent=config.data.samples_per_agent,
        )

    def _check_encoders(self) -> None:
        """Refuse encoders of unknown names, of other kinds, or of modalities that are not there."""
        data = self.data
        for target, name in self.config.network.encoders.items():
            group, _, modality = target.rpartition(":")
            for member in modality_set(group or modality):
                if member not in data.modalities:
                    raise unknown("modality of an encoder", member, data.modalities)
            sample = SampleShape(modality, data.kinds[modality], data.shape(modality))
            encoder_builder(name, sample, self._builders)

    def __repr__(self) -> str:
        return f"<Federation of {self.mix.size} agents ({self.mix}) on {self.data.name}>"


def open_folder(out: str | Path | None, *, overwrite: bool, resume: bool) -> RecordFolder:
    """Return the folder to write to.

    Raises:
        ConfigError: an argument is of another type, there is no folder to resume in, or several
            processes run this program.
    """
    if launch().size > 1:
        raise ConfigError(
            "a federation is fitted in one process; to share it out over several, use "
            "'torchrun -m parse_dfl run'"
        )
    if not isinstance(out, str | Path | None):
        raise ConfigError(f"out must be the path of a folder, not {out!r}")
    for name, value in (("overwrite", overwrite), ("resume", resume)):
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be True or False, not {value!r}")
    if resume and out is None:
        raise ConfigError("resume=True goes on with the run in a folder; give it by out=...")
    return RecordFolder.at(out, overwrite=overwrite or resume)


def spec_or_method(method: str | MethodSpec | Method) -> MethodSpec | Method:
    """Return a method of this package as a spec, one of the user's own as it is.

    Raises:
        ConfigError: it is neither, or a name that is unknown.
    """
    if isinstance(method, str):
        return method_spec(method)
    if isinstance(method, MethodSpec | Method):
        return method
    hint = f"{method.__name__}(...)" if isinstance(method, type) else "Parse() or 'parse'"
    raise ConfigError(f"{method!r} is no method; give an object such as {hint}")


def _for_one(config: RunConfig, method: MethodSpec | Method) -> RunConfig:
    """Return the configuration of one method: its name, options and learning rate."""
    if isinstance(method, Method):
        return with_values(config, {"method": f"own:{method.name}"})
    lr = {} if method.lr is None else {"training.lr": method.lr}
    values = {"method": method.name, "method_options": method.options()}
    return with_values(config, {**values, **lr})


def _is_of_federation(path: str) -> bool:
    """Return whether a setting is an argument of the federation, or its data set."""
    is_overlay = path.startswith("overlay.") and path != "overlay.robust"
    return (
        path.startswith("data.") or is_overlay or path in ("agents", "events", "network.encoders")
    )


def _dataset(data: MultimodalData | str | Path) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, MultimodalData):
        return Dataset.of(data)
    if isinstance(data, str | Path):
        return load_dataset(data)
    raise ConfigError(
        f"data must be a Dataset or the name of one, not {type(data).__name__}; make one by "
        "Dataset.from_arrays({...}, label)"
    )


def _own_topology(topology: Any) -> Topology | None:
    """Return a topology or networkx graph of the user's own as the engine takes it."""
    if isinstance(topology, Topology) or hasattr(topology, "is_directed"):
        return Topology.of(topology)
    return None


def _encoder_names(
    encoders: Mapping[str, str | Callable[..., Any]],
) -> tuple[dict[str, str], dict[str, Callable[..., Any]]]:
    """Return the encoder's name by target, and the user's own builders by their names.

    Raises:
        ConfigError: a value is neither a name nor a builder (a module is none: agents would share
            it), or two builders have one name.
    """
    names: dict[str, str] = {}
    builders: dict[str, Callable[..., Any]] = {}
    if not isinstance(encoders, Mapping):
        raise ConfigError(f"encoders must be a mapping such as {{'acc': 'mlp2'}}, not {encoders!r}")
    for target, encoder in encoders.items():
        if not isinstance(target, str):
            raise ConfigError(f"an encoder's modality must be text such as 'acc', not {target!r}")
        if isinstance(encoder, str):
            names[target] = encoder
            continue
        if not callable(encoder) or isinstance(encoder, nn.Module):
            raise ConfigError(
                f"the encoder of {target!r} must be a name or a function that builds a module, "
                f"not {encoder!r}"
            )
        name = getattr(encoder, "__name__", type(encoder).__name__)
        if builders.setdefault(name, encoder) is not encoder:
            raise ConfigError(f"two encoders are called {name!r}; give one of them another name")
        names[target] = name
    return names, builders
