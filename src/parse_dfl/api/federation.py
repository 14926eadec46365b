"""A federation: who owns what, who talks to whom, and what may go wrong; it learns by ``fit``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.agents import AgentMix, AgentSpec, check_changes, modality_set, parse_event
from parse_dfl.api.callbacks import Callback, CallbackListener
from parse_dfl.api.dataset import Dataset, load_dataset
from parse_dfl.api.disturbances import Attacker, ModalityChange
from parse_dfl.api.folder import RecordFolder
from parse_dfl.api.partitions import Partition
from parse_dfl.api.result import Result
from parse_dfl.api.settings import (
    checked,
    encoder_names,
    for_one,
    spec_or_method,
    with_settings,
)
from parse_dfl.api.text import mix_text, plain, samples_text
from parse_dfl.api.topologies import NamedTopology
from parse_dfl.byzantine import check_attackers, parse_attacker
from parse_dfl.data.dataset import MultimodalData
from parse_dfl.data.partition import partition as deal
from parse_dfl.data.splits import split
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.methods.specs import MethodSpec
from parse_dfl.networks.encoders import EncoderBuilder, SampleShape, encoder_builder
from parse_dfl.overlays.topologies import Topology, parse_topology
from parse_dfl.process import launch
from parse_dfl.runs.config import RunConfig
from parse_dfl.runs.run import run
from parse_dfl.runs.shared_setup import Own, mix_for

if TYPE_CHECKING:
    import networkx as nx

    from parse_dfl.methods.base import Method


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
        agents: Mapping[str, int] | str | None = None,
        *,
        partition: Partition | str = "iid",
        topology: NamedTopology | Topology | nx.Graph | str = "ring",
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
        names, self._builders = encoder_names(encoders or {})
        self._topology = _own_topology(topology)
        values = {
            **self.data.settings,
            "agents": None if agents is None else mix_text(agents),
            "data.partition": _text("partition", partition, Partition, "Dirichlet(0.3)"),
            "overlay.topology": (
                self._topology.name
                if self._topology
                else _text("topology", topology, NamedTopology, "Regular(degree=4)")
            ),
            "data.samples_per_agent": samples_text(plain(samples_per_agent)),
            "data.test": test,
            "data.evaluate_on": evaluate_on,
            "data.standardise": standardise,
            "overlay.by_samples": by_samples,
            "overlay.absence": plain(absence),
            "overlay.attackers": _texts("attackers", attackers, Attacker),
            "events": _texts("changes", changes, ModalityChange),
            "network.encoders": names,
        }
        self.config: RunConfig = checked(RunConfig(), values)
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
            **settings: further settings by the names that ``parse-dfl run --help`` has, such as
                ``lr=0.01, batch_size=64, latent=48, robust=Clipping(), device="cuda"``.  A
                learning rate of the method's object comes before ``lr``.

        Raises:
            ParseDflError: a setting cannot be used; the message says what can.
        """
        chosen = spec_or_method(method)
        config = for_one(self.configured(rounds, seed, settings), chosen)
        listener = CallbackListener(callbacks)
        own = self.own(None if isinstance(chosen, MethodSpec) else chosen)
        handed_over = own if config.engine == "simulate" or self._needs_python(own) else None
        folder = open_folder(out, overwrite=overwrite, resume=resume)
        try:
            run(
                config,
                out=folder.path,
                resume=resume,
                overwrite=overwrite,
                listener=listener,
                own=handed_over,
            )
        except BaseException:
            folder.remove()
            raise
        return Result(folder, own=own)

    def configured(self, rounds: int, seed: int, settings: Mapping[str, Any]) -> RunConfig:
        """Return the configuration with rounds, seed and further settings, all checked."""
        config = checked(self.config, {"training.rounds": plain(rounds), "seed": plain(seed)})
        return with_settings(config, settings)

    def own(self, method: Method | None = None) -> Own:
        """Return what the run is given from Python in place of names."""
        return Own(data=self.data, encoders=self._builders, topology=self._topology, method=method)

    def _needs_python(self, own: Own) -> bool:
        """Whether another process could not load all of it by name."""
        return bool(own.encoders or own.topology or own.method or not self.data.can_be_loaded_again)

    def _check(self) -> None:
        """Refuse what the data, or the agents, do not allow."""
        agents = self.agents
        names = [agent.name for agent in agents]
        (self._topology or parse_topology(self.config.overlay.topology)).check(names)
        check_attackers([parse_attacker(text) for text in self.config.overlay.attackers], names)
        changes = [parse_event(text) for text in self.config.events]
        last = max((change.round for change in changes), default=1)
        check_changes(changes, agents, self.mix.modalities, last)
        source = self.config.data
        train = split(self.data, source.test).train
        self._check_encoders()
        deal(self.data, train, agents, source.partition, samples_per_agent=source.samples_per_agent)

    def _check_encoders(self) -> None:
        """Refuse encoders of unknown names, of other kinds, or of modalities that are not there."""
        data = self.data
        for where, name in self.config.network.encoders.items():
            group, _, modality = where.rpartition(":")
            for owned in modality_set(group or modality):
                if owned not in data.modalities:
                    raise unknown("modality of an encoder", owned, data.modalities)
            sample = SampleShape(modality, data.kinds[modality], data.shape(modality))
            encoder_builder(name, sample, self._builders)

    def __repr__(self) -> str:
        return f"<Federation of {self.mix.size} agents ({self.mix}) on {self.data.name}>"


def open_folder(out: str | Path | None, *, overwrite: bool, resume: bool) -> RecordFolder:
    """Return the folder to write to.

    Raises:
        ConfigError: there is no folder to resume in, or several processes run this program.
    """
    if launch().size > 1:
        raise ConfigError(
            "a federation is fitted in one process; to share it out over several, use "
            "'torchrun -m parse_dfl run'"
        )
    if not isinstance(out, str | Path | None):
        raise ConfigError(f"out must be the path of a folder, not {out!r}")
    if resume and out is None:
        raise ConfigError("resume=True goes on with the run in a folder; give it by out=...")
    return RecordFolder.at(out, overwrite=overwrite or resume)


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


def _own_topology(topology: object) -> Topology | None:
    """Return a topology that is no text as the engine takes it."""
    if isinstance(topology, Topology):
        return topology
    if hasattr(topology, "is_directed") and hasattr(topology, "edges"):  # a networkx graph
        return parse_topology(topology)
    return None


def _text(name: str, value: object, kind: type, example: str) -> str:
    if isinstance(value, str | kind):
        return str(value)
    raise ConfigError(f"{name} must be an object such as {example} or its text, not {value!r}")


def _texts(name: str, values: object, kind: type) -> list[str]:
    if isinstance(values, str | kind):
        values = [values]
    if not isinstance(values, Sequence):
        raise ConfigError(f"{name} must be a list of {kind.__name__}, not {values!r}")
    return [_text(name, value, kind, f"{kind.__name__}(...)") for value in values]
