"""Listen to the peers of one experiment, a process per agent, and write the same records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree

from parse_dfl.agents import AgentSpec, apply_change
from parse_dfl.branches import Branch
from parse_dfl.engine.agent_io import load_agent
from parse_dfl.engine.gossip import Payload
from parse_dfl.engine.neighbourhood import MixingCache
from parse_dfl.errors import PeerError
from parse_dfl.peers.membership import Owners
from parse_dfl.process import interrupt_after_round
from parse_dfl.records import Overlay
from parse_dfl.runs.artifacts import write_slices
from parse_dfl.runs.callbacks import Listener
from parse_dfl.runs.folder import read_json, write_json
from parse_dfl.runs.launcher import Launcher, Message
from parse_dfl.runs.recorder import PlainSummary, Recorder
from parse_dfl.runs.results import AgentScore, overlays_of
from parse_dfl.runs.setup import RunSetup

PEERS = "peers"
"""The folder, beside the run's records, of the peers' checkpoints."""

PROGRESS = "progress.json"


class PeerSession:
    """Runs an experiment with one process per agent, to its end."""

    def __init__(self, setup: RunSetup, folder: Path | None, listener: Listener) -> None:
        self._setup, self._folder, self._listener = setup, folder, listener
        self._seed = setup.config.seed
        self._sizes = {part.agent.name: len(part.indices) for part in setup.agent_data}
        folders = {self._seed: folder} if folder else {}
        self._recorder = Recorder(setup, folders, listener, [self._seed])
        self._counted = 0
        self._reports: dict[int, dict[str, Message]] = {}
        self._first: dict[str, int] = {}  # the first round that each peer runs from now on
        self._latest = dict.fromkeys(self._sizes, 0)
        self._done: dict[str, Message] = {}
        self._agreed: dict[str, Message] = {}
        self._held: dict[str, int] | None = None

    def resume(self) -> None:
        """Go on from the peers' checkpoints, if there are any."""
        if self._folder:
            path = self._folder / PEERS / PROGRESS
            if path.exists():
                progress = read_json(path)
                self._counted = progress["round"]
                self._recorder.restore(progress)
            self._recorder.keep_until(self._counted)

    def run(self, launcher: Launcher) -> PlainSummary:
        """Run all rounds that are left; return the summary.

        Raises:
            PeerError: a peer ended before its time.
            OutputError: what the run must leave cannot be written.
            KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP (:class:`Stopped`); the peers have written
                their checkpoints.
        """
        if self._folder:
            for name in (PEERS, "agents"):
                (self._folder / name).mkdir(exist_ok=True)
        with interrupt_after_round() as stop:
            for name in self._sizes:
                launcher.start(name)
            self._recorder.start(self._counted)
            with self._recorder.timed():
                while len(self._done) < len(self._sizes):
                    for name, message in launcher.events(0.1):
                        self._take(name, message)
                        if message["kind"] in ("held", "done"):
                            self._stop_when_all_hold(launcher)
                    if stop.asked and self._held is None:
                        self._held = {}
                        launcher.tell_all(hold=True)
            self._save_progress()
        if any("scores" not in done for done in self._done.values()):
            raise stop.error()
        return self._finish()

    def _take(self, name: str, message: Message) -> None:
        match message["kind"]:
            case "note":
                self._listener.note(f"{name}: {message['text']}")
            case "round":
                self._latest[name] = message["round"]
                self._first.setdefault(name, message["round"])
                self._reports.setdefault(message["round"], {})[name] = message
                self._count_whole_rounds()
            case "agreed":
                self._agreed[name] = message
                if len(self._agreed) == len(self._sizes):
                    self._recorder.sent_before(payload_of(self._agreed))
            case "held":
                assert self._held is not None, "a peer holds only when it is told to"
                self._held[name] = message["round"]
            case "done":
                self._done[name] = message
                self._first.setdefault(name, message["round"] + 1)
                self._count_whole_rounds()
            case "failed":
                raise PeerError(f"peer {name} failed: {message['text']}")
            case "ended" if name not in self._done:
                raise PeerError(
                    f"peer {name} ended in round {self._latest[name] + 1}; go on with --resume"
                )

    def _stop_when_all_hold(self, launcher: Launcher) -> None:
        """Tell all peers the same last round, once every one has paused or ended."""
        if self._held and len(self._held.keys() | self._done.keys()) == len(self._sizes):
            ended = [done["round"] for done in self._done.values()]
            launcher.tell_all(stop_after=max([*self._held.values(), *ended]))
            self._held = {}

    def _count_whole_rounds(self) -> None:
        """Record the rounds that every peer has reported, in their order.

        After a crash some peers' checkpoints are of later rounds than others' are: what these had
        reported is lost, and nobody waits for it.
        """
        while self._is_whole(self._counted + 1):
            self._counted += 1
            reports = self._reports.pop(self._counted, {})
            scores: list[AgentScore] = []
            if len(reports) == len(self._sizes) and all(r["scores"] for r in reports.values()):
                scores = self._agent_scores({n: report["scores"] for n, report in reports.items()})
            if reports:
                self._recorder.round(self._counted, payload_of(reports), scores)
            if self._counted % self._setup.config.checkpoint_every == 0:
                self._save_progress()

    def _is_whole(self, round: int) -> bool:
        reports = self._reports.get(round, {})
        return round <= self._setup.config.training.rounds and all(
            name in reports or round < self._first.get(name, 0) for name in self._sizes
        )

    def _save_progress(self) -> None:
        if self._folder:
            progress = {"round": self._counted, **self._recorder.state()}
            write_json(self._folder / PEERS / PROGRESS, progress)

    def _agent_scores(self, scores: Mapping[str, Mapping[str, float]]) -> list[AgentScore]:
        agents = self._agents()
        return [
            AgentScore(agents[name], size, 1, scores[name]) for name, size in self._sizes.items()
        ]

    def _agents(self) -> dict[str, AgentSpec]:
        """Return the agents with the modalities that they have by now, by name."""
        agents = {part.agent.name: part.agent for part in self._setup.agent_data}
        for event in self._setup.events:
            if event.round <= self._counted:
                agents[event.agent] = apply_change(agents[event.agent], event)
        return agents

    def _finish(self) -> PlainSummary:
        setup, peers = self._setup, self._done.values()
        self._recorder.finish(
            self._agent_scores({name: done["scores"] for name, done in self._done.items()})
        )
        if self._folder and not self._recorder.diverged(self._seed):
            paths = [self._folder / "agents" / f"{name}.safetensors" for name in self._sizes]
            samples = setup.evaluation_samples
            write_slices(map(load_agent, paths), setup.data, samples, self._folder)
        summary = self._recorder.summaries(
            parameters={done["group"]: done["parameters"] for done in peers},
            overlays={self._seed: self._overlays()},
            clock={
                part: sum(done["clock"][part] for done in peers) / len(peers)
                for part in ("train", "mix", "evaluate")
            },
            peak_memory_bytes=max(done["peak_memory_bytes"] for done in peers),
        )[self._seed]
        if self._folder:
            rmtree(self._folder / PEERS)
        self._listener.finish()
        return summary

    def _overlays(self) -> list[Overlay]:
        """Return the last round's overlays, computed from who owned which branch."""
        setup, rounds = self._setup, self._setup.config.training.rounds
        owners: dict[Branch, list[AgentSpec]] = {}
        agents = self._agents()
        for name in self._sizes:
            for text in self._done[name]["branches"]:
                owners.setdefault(Branch(*text.split("/")), []).append(agents[name])
        owned = [Owners(branch, agents) for branch, agents in sorted(owners.items())]
        cache = MixingCache(setup.config.overlay, setup.topology, {})
        stage = setup.method.stages[setup.method.stage_at(rounds, rounds)]
        return list(overlays_of(cache, owned, stage, rounds).values())


def payload_of(reports: Mapping[str, Message]) -> Payload:
    """Return what crossed directed links in a round, from what every peer sent to whom."""
    sizes = [size for report in reports.values() for size in report["payload"].values() if size]
    return Payload(sum(sizes), len(sizes), max(sizes, default=0))
