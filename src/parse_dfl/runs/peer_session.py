"""``--engine peers``: the same experiment with one process per agent, and the same records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from typing import Any

from parse_dfl.branches import Branch
from parse_dfl.config import RunConfig
from parse_dfl.engine.agent_io import load_agent
from parse_dfl.engine.gossip import Payload
from parse_dfl.engine.mixing_cache import MixingCache
from parse_dfl.engine.trainer import apply_event
from parse_dfl.errors import ConfigError, PeerError
from parse_dfl.peers.neighbours import Owners
from parse_dfl.ranks.launch import launch
from parse_dfl.runs.artifacts import write_slices
from parse_dfl.runs.callbacks import Listener
from parse_dfl.runs.divergence import DivergenceLog, note_of
from parse_dfl.runs.folder import append_jsonl, output_folder, read_json, rewrite_jsonl, write_json
from parse_dfl.runs.interrupt import interrupt_after_round
from parse_dfl.runs.ipc import Told
from parse_dfl.runs.launcher import Launcher
from parse_dfl.runs.node_config import check_seed
from parse_dfl.runs.results import (
    AgentScore,
    Facts,
    PayloadTotals,
    group_means,
    metric_rows,
    overlays_of,
    summary,
)
from parse_dfl.runs.resuming import claim
from parse_dfl.runs.setup import RunSetup

PEERS = "peers"
"""The folder, beside the run's records, of the peers' checkpoints."""

PROGRESS = "progress.json"


class PeerSession:
    """Runs an experiment with a peer an agent, to its end."""

    def __init__(self, found: RunSetup, folder: Path | None, listener: Listener) -> None:
        self._found, self._folder, self._listener = found, folder, listener
        self._shards = {shard.agent.name: shard for shard in found.shards}
        self._payload = PayloadTotals()
        self._seconds = 0.0
        self._rounds: dict[int, dict[str, Told]] = {}
        self._heard: dict[str, int] = dict.fromkeys(self._shards, 0)
        self._done: dict[str, Told] = {}
        self._held: dict[str, int] | None = None
        self._counted = 0
        self._diverged = DivergenceLog()

    def resume(self) -> None:
        """Go on from the peers' checkpoints, if there are any."""
        if not self._folder:
            return
        path = self._folder / PEERS / PROGRESS
        if path.exists():
            kept = read_json(path)
            self._counted, self._seconds = kept["round"], kept["seconds"]
            self._payload.restore(kept["payload"])
            self._diverged.restore(kept.get("diverged", ()))
        rewrite_jsonl(self._folder / "metrics.jsonl", lambda row: row["round"] <= self._counted)

    def run(self, fleet: Launcher) -> dict[str, Any]:
        """All rounds that are left; the summary.

        Raises:
            PeerError: a peer ended before its time.
            OutputError: what the run must leave cannot be written.
            KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP (:class:`Stopped`); the peers have written
                their checkpoints.
        """
        config = self._found.config
        if self._folder:
            for name in (PEERS, "agents"):
                (self._folder / name).mkdir(exist_ok=True)
        with interrupt_after_round() as stop:
            for name in self._shards:
                fleet.start(name)
            self._listener.start(self._found.method.name, config.training.rounds, self._counted)
            begin = time.perf_counter()
            while len(self._done) < len(self._shards):
                for name, message in fleet.events(0.1):
                    self._take(name, message)
                    if message["kind"] in ("held", "done"):
                        self._stop_when_all_hold(fleet)
                if stop.asked and self._held is None:
                    self._held = {}
                    self._tell_all(fleet, hold=True)
            self._seconds += time.perf_counter() - begin
            self._save_progress()
        if any("scores" not in done for done in self._done.values()):
            raise stop.error()
        return self._finish()

    def _take(self, name: str, message: Told) -> None:
        match message["kind"]:
            case "note":
                self._listener.note(f"{name}: {message['text']}")
            case "round":
                self._heard[name] = message["round"]
                self._rounds.setdefault(message["round"], {})[name] = message
                self._count_whole_rounds()
            case "held":
                assert self._held is not None, "it was told to"
                self._held[name] = message["round"]
            case "done":
                self._done[name] = message
            case "failed":
                raise PeerError(f"peer {name} failed: {message['text']}")
            case "ended" if name not in self._done:
                raise PeerError(
                    f"peer {name} ended in round {self._heard[name] + 1}; go on with --resume"
                )

    def _stop_when_all_hold(self, fleet: Launcher) -> None:
        """Peers that begin no round until they are told can all be told the same last one."""
        if self._held and len(self._held.keys() | self._done.keys()) == len(self._shards):
            ended = [done["round"] for done in self._done.values()]
            self._tell_all(fleet, stop_after=max([*self._held.values(), *ended]))
            self._held = {}

    def _tell_all(self, fleet: Launcher, **message: Any) -> None:
        for name in self._shards:
            fleet.tell(name, **message)

    def _count_whole_rounds(self) -> None:
        """Count and record the rounds that every peer has told of, in their order."""
        while len(self._rounds.get(self._counted + 1, ())) == len(self._shards):
            self._counted += 1
            reports = self._rounds.pop(self._counted)
            self._payload.add(payload_of(reports))
            accuracy = None
            if all(report["scores"] for report in reports.values()):
                accuracy = self._record({n: report["scores"] for n, report in reports.items()})
            if self._counted % self._found.config.checkpoint_every == 0:
                self._save_progress()
            if self._counted < self._found.config.training.rounds:
                self._listener.round(self._counted, accuracy)

    def _save_progress(self) -> None:
        if self._folder:
            content = {
                "round": self._counted,
                "seconds": self._seconds,
                "payload": self._payload.state(),
                "diverged": self._diverged.state(),
            }
            write_json(self._folder / PEERS / PROGRESS, content)

    def _record(self, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """Write a line a group; the accuracy of each."""
        listed = self._scores(scores)
        if new := self._diverged.update(self._counted, listed):
            method, lr = self._found.method.name, self._lr
            self._listener.note(
                note_of(new, len(listed), method=method, round=self._counted, lr=lr)
            )
        if self._folder:
            rows = metric_rows(self._counted, self._found.config.seed, listed)
            append_jsonl(self._folder / "metrics.jsonl", rows)
        return {key: means["accuracy"] for key, means in group_means(listed).items()}

    def _scores(self, scores: Mapping[str, Mapping[str, float]]) -> list[AgentScore]:
        return [
            AgentScore(self._agents()[name], len(shard.indices), 1, scores[name])
            for name, shard in self._shards.items()
        ]

    def _agents(self) -> dict[str, Any]:
        agents = {}
        for name, shard in self._shards.items():
            agent = shard.agent
            for event in self._found.events:
                if event.round <= self._counted:
                    agent = apply_event(agent, event)
            agents[name] = agent
        return agents

    def _finish(self) -> dict[str, Any]:
        found, config = self._found, self._found.config
        scores = {name: done["scores"] for name, done in self._done.items()}
        accuracy = self._record(scores)
        self._listener.round(config.training.rounds, accuracy)
        told = summary(config, config.seed, self._scores(scores), self._spent(), self._facts())
        if self._folder:
            files = [self._folder / "agents" / f"{name}.safetensors" for name in self._shards]
            samples = found.evaluation_samples
            if not told["diverged"]:
                write_slices(map(load_agent, files), found.data, samples, self._folder)
            write_json(self._folder / "summary.json", told)
            rmtree(self._folder / PEERS)
        self._listener.finish()
        return told

    def _spent(self) -> dict[str, Any]:
        """Payload and seconds; those of the parts of a round are a peer's, on average."""
        rounds, peers = self._found.config.training.rounds, len(self._done)
        clocks = [done["clock"] for done in self._done.values()]
        return {
            **self._payload.summary(),
            "wall_seconds": self._seconds,
            "seconds_per_round": {
                part: sum(clock[part] for clock in clocks) / peers / rounds
                for part in ("train", "mix", "evaluate")
            },
        }

    def _facts(self) -> Facts:
        found = self._found
        owners: dict[Branch, list[Any]] = {}
        agents = self._agents()
        for name in self._shards:
            for text in self._done[name]["branches"]:
                owners.setdefault(Branch(*text.split("/")), []).append(agents[name])
        owned = [Owners(branch, agents) for branch, agents in sorted(owners.items())]
        book = MixingCache(found.config.overlay, found.topology, {})
        rounds = found.config.training.rounds
        stage = found.method.stages[found.method.stage_at(rounds, rounds)]
        return Facts(
            method=found.method.name,
            data=found.data.name,
            lr=self._lr,
            evaluated_samples=len(found.evaluation_samples),
            parameters={done["group"]: done["parameters"] for done in self._done.values()},
            overlays=list(overlays_of(book, owned, stage, rounds).values()),
            peak_memory_bytes=max(done["peak_memory_bytes"] for done in self._done.values()),
            proposal=found.proposals.get(found.config.seed),
            diverged=self._diverged.of(found.config.seed),
        )

    @property
    def _lr(self) -> float:
        lr = self._found.config.training.lr
        return self._found.method.lr if lr is None else lr


def payload_of(reports: Mapping[str, Told]) -> Payload:
    """What crossed directed links in a round, from what every peer sent to whom."""
    sizes = [size for report in reports.values() for size in report["payload"].values() if size]
    return Payload(sum(sizes), len(sizes), max(sizes, default=0))


def check_engine(config: RunConfig, *, own: bool) -> None:
    """Refuse what peers cannot do.

    Raises:
        ConfigError: it is asked for.
    """
    check_seed(config.seed)
    refused = {
        "the oracle, which is centralised": config.method == "oracle",
        "--compile": config.compile,
        f"--device {config.device}": config.device != "cpu",
        "--dtype bfloat16": config.training.dtype == "bfloat16",
        "--record": bool(config.record),
        "ingredients of your own from Python": own,
    }
    for what, asked in refused.items():
        if asked:
            raise ConfigError(f"engine 'peers' cannot run {what}; use engine 'simulate'")


def check_alone() -> None:
    """Refuse to start peers from each of several processes.

    Raises:
        ConfigError: torchrun started this process and others.
    """
    if launch().size > 1:
        raise ConfigError(
            "engine 'peers' starts a process an agent by itself; run it without torchrun"
        )


def run_peers(
    config: RunConfig, folder: Path | None, *, resume: bool, overwrite: bool, listener: Listener
) -> dict[str, Any]:
    """Start the peers, gather what they tell, and end them whatever happens.

    Returns:
        The summary, as in ``summary.json``.

    Raises:
        ParseDflError: bad settings, data or folder, or a peer that ended before its time.
    """
    with Launcher(config, folder) as fleet, ExitStack() as held:
        # The fleet's nursery is loading by now, so that these imports cost no time of their own.
        from parse_dfl.runs.peer_session import PeerSession
        from parse_dfl.runs.setup import gather, tell_notes

        found = gather(config, [config.seed])
        if folder is not None:
            held.enter_context(output_folder(folder, overwrite=overwrite, resume=resume))
            claim(folder, config)
        tell_notes(found.data, config.agents, listener)
        session = PeerSession(found, folder, listener)
        if resume:
            session.resume()
        fleet.enlist([shard.agent.name for shard in found.shards])
        return session.run(fleet)
