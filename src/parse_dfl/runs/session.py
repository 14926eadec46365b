"""The life of a trial on disk: rounds, evaluations, checkpoints, and what stays at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parse_dfl.engine.checkpoint import FORMAT, check_format, read_tensors, write_tensors
from parse_dfl.engine.early_stopping import BestRows
from parse_dfl.errors import CheckpointError, OutputError, RankError
from parse_dfl.runs.artifacts import save_agents, save_slices
from parse_dfl.runs.callbacks import SILENT, Listener
from parse_dfl.runs.divergence import DivergenceLog, note_of
from parse_dfl.runs.folder import append_jsonl, rewrite_jsonl, write_json
from parse_dfl.runs.interrupt import interrupt_after_round
from parse_dfl.runs.recorders import ConflictRecorder
from parse_dfl.runs.results import (
    AgentScore,
    PayloadMeter,
    agent_scores,
    group_means,
    metric_rows,
    of_all_ranks,
    peak_memory_bytes,
    summarise,
)
from parse_dfl.runs.resuming import fingerprint
from parse_dfl.runs.setup import some_of
from parse_dfl.runs.trial import Trial

CHECKPOINT = "checkpoint.safetensors"


class Session:
    """Runs a trial to its end.

    ``folders`` maps a seed to the folder of its records, none to keep nothing; ``checkpoint``
    is the file that a stopped session goes on from.  Of several ranks each has a session, with the
    same arguments; the first one's reads and writes, and alone has a listener.
    """

    def __init__(
        self, trial: Trial, folders: Mapping[int, Path], checkpoint: Path | None, listener: Listener
    ) -> None:
        self.trial, self._folders = trial, folders
        self._ranks = trial.ranks
        self._listener = listener if trial.ranks.leads else SILENT
        self._written = folders if trial.ranks.leads else {}
        self._checkpoint = checkpoint
        self._seconds, self._saved = 0.0, 0
        self._ranks.check_same(f"{self._fingerprint()} {trial.simulator.homes}")
        self._payload = PayloadMeter(trial.simulator)
        self._payload.add_once(trial.agreement)
        self._best = self._early_stopping()
        self._diverged = DivergenceLog()
        self._conflict = self._recorder()
        samples = trial.evaluation_samples
        self._all = torch.from_numpy(samples)
        self._some = torch.from_numpy(some_of(samples, trial.config.eval_samples))

    def _early_stopping(self) -> BestRows | None:
        if not self.trial.simulator.method.centralised:
            return None
        validation = torch.from_numpy(self.trial.split.validation)
        return BestRows(self.trial.simulator, validation, list(self.trial.seeds))

    def _recorder(self) -> ConflictRecorder | None:
        asked = "conflict" in self.trial.config.record
        return ConflictRecorder(self.trial, dict(self._folders)) if asked else None

    def run(self) -> dict[int, dict[str, Any]]:
        """All rounds that are left; the summary of each seed.

        Raises:
            OutputError: what the run must leave cannot be written.
            KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP (:class:`Stopped`); the round under way was
                finished and a checkpoint written.
            RankError: another rank was lost; the message says which round is safe.
        """
        try:
            with self._ranks.parting():
                return self._run()
        except RankError as lost:
            raise RankError(f"{lost}; {self._safe()}", first=lost.first) from lost

    def _safe(self) -> str:
        round, saved = self.trial.simulator.round, self._saved
        if not self._checkpoint or not saved:
            return f"the {round} rounds are lost"
        return f"{round} rounds were done, and the checkpoint holds {saved}"

    def _run(self) -> dict[int, dict[str, Any]]:
        simulator, config = self.trial.simulator, self.trial.config
        rounds = config.training.rounds
        self._listener.start(simulator.method.name, rounds, simulator.round)
        with interrupt_after_round(echoes=self._ranks.size > 1) as stop:
            while simulator.round < rounds:
                self._round()
                due = simulator.round % config.checkpoint_every == 0 and simulator.round < rounds
                asked = self._ranks.any(stop.asked)
                if due or asked:
                    self._save()
                if asked:
                    raise stop.error()
        summaries = self._finish()
        self._listener.finish()
        return summaries

    def _round(self) -> None:
        begin = time.perf_counter()
        self.trial.simulator.step()
        self._payload.count()
        accuracy = self._evaluate_if_due()
        self._seconds += time.perf_counter() - begin
        self._listener.round(self.trial.simulator.round, accuracy)

    def _evaluate_if_due(self) -> dict[str, float] | None:
        simulator, config = self.trial.simulator, self.trial.config
        if simulator.round % config.eval_every or simulator.round == config.training.rounds:
            return None
        if self._best:
            self._best.update()
        return self._score(self._some)[1]

    def _score(self, samples: Tensor) -> tuple[list[AgentScore], dict[str, float]]:
        """Evaluate and record; the scores, and the accuracy of every group."""
        simulator = self.trial.simulator
        scores = of_all_ranks(self.trial, agent_scores(self.trial, simulator.evaluate(samples)))
        if new := self._diverged.update(simulator.round, scores):
            method, lr = simulator.method.name, simulator.lr
            self._listener.note(
                note_of(new, len(scores), method=method, round=simulator.round, lr=lr)
            )
        self._record(simulator.round, scores)
        return scores, _accuracies(scores)

    def _record(self, round: int, scores: list[AgentScore]) -> None:
        for seed, folder in self._written.items():
            own = [score for score in scores if score.agent.seed == seed]
            append_jsonl(folder / "metrics.jsonl", metric_rows(round, seed, own))
        if self._conflict:
            self._conflict.record(round)

    def _finish(self) -> dict[int, dict[str, Any]]:
        """Evaluate on all samples and write what stays."""
        simulator = self.trial.simulator
        begin = time.perf_counter()
        if self._best:
            self._best.update()
            self._best.put_back()
        scores, accuracy = self._score(self._all)
        self._seconds += time.perf_counter() - begin
        self._listener.round(simulator.round, accuracy)
        peak = max(self._ranks.gather(peak_memory_bytes()), default=0)
        lost = self._ranks.tell([seed for seed in self.trial.seeds if self._diverged.of(seed)])
        for seed, folder in self._folders.items():
            save_agents(self.trial, seed, folder / "agents")
            if seed not in lost:
                save_slices(self.trial, seed, folder)
        summaries = {}
        if self._ranks.leads:
            for seed in self.trial.seeds:
                summaries[seed] = summarise(
                    self.trial,
                    seed,
                    scores,
                    self._spent(),
                    peak=peak,
                    diverged=self._diverged.of(seed),
                )
            for seed, folder in self._written.items():
                write_json(folder / "summary.json", summaries[seed])
            if self._checkpoint:
                self._checkpoint.unlink(missing_ok=True)
        return dict(self._ranks.tell(list(summaries.items())))

    def _spent(self) -> dict[str, Any]:
        """Payload and seconds; the seconds of seeds side by side are shared out evenly."""
        share = 1 / len(self.trial.seeds)
        clock, rounds = self.trial.simulator.clock, self.trial.config.training.rounds
        return {
            **self._payload.summary(len(self.trial.seeds)),
            "wall_seconds": self._seconds * share,
            "seconds_per_round": {
                part: seconds * share / rounds for part, seconds in vars(clock).items()
            },
        }

    def _save(self) -> None:
        """Write a checkpoint; a full disk stops the checkpoint, not the training."""
        if not self._checkpoint:
            return
        tensors = self.trial.simulator.tensors()
        tensors |= self._best.tensors() if self._best else {}
        self._saved = self.trial.simulator.round
        if not self._ranks.leads:
            return
        header = {
            "format": FORMAT,
            "round": self.trial.simulator.round,
            "experiment": self._fingerprint(),
            "seeds": list(self.trial.seeds),
            "threads": torch.get_num_threads(),
            "seconds": self._seconds,
            "clock": vars(self.trial.simulator.clock),
            "payload": self._payload.state(),
            "diverged": self._diverged.state(),
        }
        try:
            write_tensors(self._checkpoint, tensors, header)
        except OutputError as reason:
            self._listener.note(f"no checkpoint of round {self.trial.simulator.round}: {reason}")

    def _fingerprint(self) -> str:
        simulator = self.trial.simulator
        data, method = simulator.data.source, simulator.method
        return fingerprint(self.trial.config, self.trial.seeds, method.name, data)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one.

        Raises:
            CheckpointError: it is damaged, or of another experiment.
        """
        kept = 0
        with self._ranks.agreeing():
            found = self._read()
        if header := self._ranks.tell(found and found[1]):
            self._note_threads(header)
            self._restore(found[0] if found else {}, header)
            kept = self.trial.simulator.round
        for folder in self._written.values():
            rewrite_jsonl(folder / "metrics.jsonl", lambda row: row["round"] <= kept)
        if self._conflict:
            self._conflict.keep_until(kept)

    def _note_threads(self, header: Mapping[str, Any]) -> None:
        before, now = header.get("threads"), torch.get_num_threads()
        if before is not None and before != now and self._ranks.leads:
            self._listener.note(
                f"{self.trial.simulator.method.name}: goes on with {now} threads after {before}; "
                "for the same numbers as without a stop, to the last bit, add "
                f"--threads {before}"
            )

    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The checkpoint, if there is one, on the first rank."""
        if not self._ranks.leads or not self._checkpoint or not self._checkpoint.exists():
            return None
        tensors, header = read_tensors(self._checkpoint)
        check_format(self._checkpoint, header, FORMAT)
        if header.get("experiment") != self._fingerprint():
            raise CheckpointError(
                f"{self._checkpoint} is the checkpoint of another experiment; resume it with the "
                "settings that it was started with, or start anew with --overwrite"
            )
        return tensors, header

    def _restore(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        simulator = self.trial.simulator
        best = {name: value for name, value in tensors.items() if name.startswith("best")}
        own = {name: value for name, value in tensors.items() if name not in best}
        simulator.restore(own, header["round"])
        if self._best:
            self._best.restore(best)
        self._seconds = header["seconds"]
        vars(simulator.clock).update(header["clock"])
        self._payload.restore(header["payload"])
        self._diverged.restore(header.get("diverged", ()))
        self._saved = simulator.round


def _accuracies(scores: list[AgentScore]) -> dict[str, float]:
    return {key: means["accuracy"] for key, means in group_means(scores).items()}
