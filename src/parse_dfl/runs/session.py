"""Run a trial to its end: rounds, evaluations, checkpoints, and what stays on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parse_dfl.analysis.gradient_conflict import HELD_OUT_SAMPLES, measure_conflict
from parse_dfl.engine.checkpoint import FORMAT, check_format, read_tensors, write_tensors
from parse_dfl.engine.evaluation import BestRows
from parse_dfl.engine.gossip import Payload
from parse_dfl.engine.simulator import Simulator
from parse_dfl.errors import CheckpointError, OutputError, RankError
from parse_dfl.io import to_plain
from parse_dfl.process import interrupt_after_round
from parse_dfl.records import CONFLICT, ConflictLine
from parse_dfl.runs.artifacts import save_agents, save_slices
from parse_dfl.runs.callbacks import SILENT, Listener
from parse_dfl.runs.folder import append_jsonl, rewrite_jsonl
from parse_dfl.runs.recorder import PlainSummary, Recorder
from parse_dfl.runs.results import (
    AgentScore,
    agent_scores,
    of_all_ranks,
    overlays_of_seeds,
    parameters_by_group,
    peak_memory_bytes,
)
from parse_dfl.runs.resuming import fingerprint
from parse_dfl.runs.setup import Trial

CHECKPOINT = "checkpoint.safetensors"
HELD_OUT_SEED = 0
"""The held-out samples are the same for all runs on one data set."""


class Session:
    """Runs a trial to its end.

    ``folders`` maps a seed to the folder of its records, none to keep nothing; ``checkpoint``
    is the file that a stopped session goes on from.  Of several ranks each has a session, with the
    same arguments; the first one's reads and writes, and alone has a listener.
    """

    def __init__(
        self, trial: Trial, folders: Mapping[int, Path], checkpoint: Path | None, listener: Listener
    ) -> None:
        self.trial, self._ranks, self._folders = trial, trial.ranks, folders
        self._simulator = trial.simulator
        self._listener = listener if trial.ranks.is_main else SILENT
        self._checkpoint = checkpoint
        self._saved = 0
        self._ranks.check_same(f"{self._fingerprint()} {trial.simulator.backend.homes}")
        written = folders if trial.ranks.is_main else {}
        self._recorder = Recorder(trial.setup, written, self._listener, trial.seeds)
        self._recorder.sent_before(trial.agreement)
        self._payload = PayloadMeter(trial.simulator)
        self._best = self._early_stopping()
        asked = "conflict" in trial.config.record
        self._conflict = ConflictRecorder(trial, dict(folders)) if asked else None
        self._all = torch.from_numpy(trial.evaluation_samples)
        self._some = torch.from_numpy(trial.setup.some_evaluation_samples)

    def _early_stopping(self) -> BestRows | None:
        trainer = self._simulator.trainer
        if not (trainer.method.centralised or trainer.training.keep_best):
            return None
        validation = torch.from_numpy(self.trial.setup.split.validation)
        return BestRows(self._simulator, validation, list(self.trial.seeds))

    def run(self) -> dict[int, PlainSummary]:
        """Run all rounds that are left; return the summary of each seed.

        Raises:
            OutputError: what the run must leave cannot be written.
            KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP (:class:`Stopped`); the round under way was
                finished and a checkpoint written.
            RankError: another rank was lost; the message says which round is safe.
        """
        try:
            with self._ranks.report_failure():
                self._run_rounds()
                summaries = self._finish()
                self._listener.finish()
                return summaries
        except RankError as error:
            raise RankError(f"{error}; {self._safe()}", first=error.first) from error

    def _safe(self) -> str:
        if not self._checkpoint or not self._saved:
            return f"the {self._simulator.round} rounds are lost"
        return f"{self._simulator.round} rounds were done, and the checkpoint holds {self._saved}"

    def _run_rounds(self) -> None:
        simulator, config = self._simulator, self.trial.config
        rounds = config.training.rounds
        self._recorder.start(simulator.round)
        with interrupt_after_round(echoes=self._ranks.size > 1) as stop:
            while simulator.round < rounds:
                with self._recorder.timed():
                    simulator.step()
                    payload = self._payload.of_round()
                    scores = self._evaluate_if_due()
                self._recorder.round(simulator.round, payload, scores)
                due = simulator.round % config.checkpoint_every == 0 and simulator.round < rounds
                asked = self._ranks.any(stop.asked)
                if due or asked:
                    self._save()
                if asked:
                    raise stop.error()

    def _evaluate_if_due(self) -> list[AgentScore]:
        config, round = self.trial.config, self._simulator.round
        if round % config.eval_every or round == config.training.rounds:
            return []
        if self._best:
            self._best.update()
        return self._scores(self._some)

    def _scores(self, samples: Tensor) -> list[AgentScore]:
        """Evaluate all agents at their present parameters."""
        if self._conflict:
            self._conflict.record(self._simulator.round)
        return of_all_ranks(self.trial, agent_scores(self.trial, self._simulator.evaluate(samples)))

    def _finish(self) -> dict[int, PlainSummary]:
        """Evaluate on all samples and write what stays."""
        with self._recorder.timed():
            if self._best:
                self._best.update()
                self._best.put_back()
            scores = self._scores(self._all)
        self._recorder.finish(scores)
        peak = max(self._ranks.gather(peak_memory_bytes()), default=0)
        diverged = [seed for seed in self.trial.seeds if self._recorder.diverged(seed)]
        diverged = self._ranks.broadcast(diverged)
        for seed, folder in self._folders.items():
            save_agents(self.trial, seed, folder / "agents")
            if seed not in diverged:
                save_slices(self.trial, seed, folder)
        summaries = {}
        if self._ranks.is_main:
            summaries = self._recorder.summaries(
                parameters=parameters_by_group(self._simulator),
                overlays=overlays_of_seeds(self.trial),
                clock=vars(self._simulator.trainer.clock),
                peak_memory_bytes=peak,
                ranks=self._ranks.size,
                threads=torch.get_num_threads(),
            )
            if self._checkpoint:
                self._checkpoint.unlink(missing_ok=True)
        return dict(self._ranks.broadcast(list(summaries.items())))

    def _save(self) -> None:
        """Write a checkpoint; a full disk stops the checkpoint, not the training."""
        if not self._checkpoint:
            return
        simulator = self._simulator
        tensors = simulator.tensors()
        tensors |= self._best.tensors() if self._best else {}
        self._saved = simulator.round
        if not self._ranks.is_main:
            return
        header = {
            "format": FORMAT,
            "round": simulator.round,
            "experiment": self._fingerprint(),
            "seeds": list(self.trial.seeds),
            "threads": torch.get_num_threads(),
            "clock": vars(simulator.trainer.clock),
            **self._recorder.state(),
        }
        try:
            write_tensors(self._checkpoint, tensors, header)
        except OutputError as reason:
            self._listener.note(f"no checkpoint of round {simulator.round}: {reason}")

    def _fingerprint(self) -> str:
        setup = self.trial.setup
        return fingerprint(self.trial.config, self.trial.seeds, setup.method.name, setup.data)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one.

        Raises:
            CheckpointError: it is damaged, or of another experiment.
        """
        tensors: Mapping[str, Tensor] = {}
        header = None
        with self._ranks.raise_together():
            if self._ranks.is_main and self._checkpoint and self._checkpoint.exists():
                tensors, header = self._read(self._checkpoint)
        if header := self._ranks.broadcast(header):
            self._note_threads(header)
            self._restore(tensors, header)
        self._recorder.keep_until(self._saved)
        if self._conflict:
            self._conflict.keep_until(self._saved)

    def _read(self, checkpoint: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, header = read_tensors(checkpoint)
        check_format(checkpoint, header, FORMAT)
        if header.get("experiment") != self._fingerprint():
            raise CheckpointError(
                f"{checkpoint} is the checkpoint of another experiment; resume it with the "
                "settings that it was started with, or start anew with --overwrite"
            )
        return tensors, header

    def _note_threads(self, header: Mapping[str, Any]) -> None:
        before, now = header.get("threads"), torch.get_num_threads()
        if before is not None and before != now:
            self._listener.note(
                f"{self._simulator.trainer.method.name}: goes on with {now} threads after "
                f"{before}; for the same numbers as without a stop, to the last bit, add "
                f"--threads {before}"
            )

    def _restore(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        best = {name: value for name, value in tensors.items() if name.startswith("best")}
        state = {name: value for name, value in tensors.items() if name not in best}
        self._simulator.restore(state, header["round"])
        if self._best:
            self._best.restore(best)
        vars(self._simulator.trainer.clock).update(header["clock"])
        self._recorder.restore(header)
        self._saved = self._simulator.round


class PayloadMeter:
    """The payload of a simulator's rounds; what cannot have changed is not computed again."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._layout = simulator.layout
        self._by_stage: dict[int, Payload] = {}  # of this layout

    def of_round(self) -> Payload:
        """Return what the round sent that has just run."""
        simulator = self._simulator
        if simulator.varies:
            return simulator.payload()
        if simulator.layout is not self._layout:
            self._layout = simulator.layout
            self._by_stage.clear()
        stage = simulator.stage.number
        if stage not in self._by_stage:
            self._by_stage[stage] = simulator.payload()
        return self._by_stage[stage]


class ConflictRecorder:
    """Writes the gradient conflict of every evaluated round to ``conflict.jsonl``.

    The common samples are validation's: of the training part, but no agent's.
    """

    def __init__(self, trial: Trial, folders: dict[int, Path]) -> None:
        self._trial, self._folders = trial, folders
        drawn = np.random.default_rng(HELD_OUT_SEED).permutation(trial.setup.split.validation)
        samples = torch.from_numpy(np.sort(drawn[:HELD_OUT_SAMPLES]))
        self._samples = samples.to(trial.simulator.trainer.data.device)

    def record(self, round: int) -> None:
        """Measure at the simulator's present parameters, and add the lines of ``round``."""
        for seed, conflicts in measure_conflict(self._trial.simulator, self._samples).items():
            if seed in self._folders:
                lines = [ConflictLine(round=round, seed=seed, **vars(c)) for c in conflicts]
                append_jsonl(self._folders[seed] / CONFLICT, map(to_plain, lines))

    def keep_until(self, round: int) -> None:
        """Drop what a resumed run will write again."""
        for folder in self._folders.values():
            rewrite_jsonl(folder / CONFLICT, lambda row: row["round"] <= round)
