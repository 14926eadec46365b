"""Check that a folder goes on with the settings and data that it was started with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parse_dfl.config import SETTINGS, RunConfig, differences, from_dict, to_dict, value_at
from parse_dfl.errors import CheckpointError, ConfigError
from parse_dfl.process import command
from parse_dfl.runs.folder import read_json, write_json

if TYPE_CHECKING:
    from parse_dfl.data.dataset import MultimodalData

CONFIG = "config.json"
COMPARED = "compared"
"""In the configuration of a comparison: its methods and seeds."""
OF_A_RUN = ("summary.json", "metrics.jsonl", "checkpoint.safetensors")
"""What a run leaves in its folder, and a comparison in those of its runs only."""
FREE = tuple(path for path, entry in SETTINGS.items() if entry.declaration.may_change)
"""Settings that a run may go on with that was started with others: no number depends on them."""
UNRELATED = (*FREE, "record", "peer")
"""Settings, and a section, that no number of a simulation depends on."""


@dataclass(frozen=True)
class Kept:
    """What a folder says of itself; ``methods`` and ``seeds`` where it holds a comparison."""

    config: RunConfig
    methods: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**to_dict(self.config), COMPARED: {"methods": self.methods, "seeds": self.seeds}}

    @classmethod
    def from_plain(cls, record: Mapping[str, Any]) -> Kept:
        """Read what :meth:`to_plain` gave, or a folder's configuration."""
        compared = record.get(COMPARED, {"methods": (), "seeds": ()})
        config = from_dict({name: value for name, value in record.items() if name != COMPARED})
        return cls(config, tuple(compared["methods"]), tuple(compared["seeds"]))


def claim(folder: Path, config: RunConfig, compared: Mapping[str, Any] | None = None) -> None:
    """Write the configuration, or refuse to mix two experiments in one folder.

    Raises:
        CheckpointError: the folder was started with other settings, which are named.
    """
    path, settings = folder / CONFIG, to_dict(config)
    if path.exists():
        before = Kept.from_plain(read_json(path)).config  # a later version's settings: defaults
        kept = to_dict(before)
        if lines := differences(kept, settings, free=UNRELATED):
            raise CheckpointError(_other_settings(folder, lines))
    write_json(path, settings if compared is None else {**settings, COMPARED: compared})


def kept_run(folder: Path) -> Kept:
    """Read the settings that a run's folder goes on with.

    Raises:
        CheckpointError: it holds no run.
    """
    content = _read(folder)
    if COMPARED in content or (folder / "comparison.json").exists():
        raise CheckpointError(
            f"{folder} holds a comparison; go on with {command('compare', '--resume', str(folder))}"
        )
    return Kept.from_plain(content)


def kept_comparison(folder: Path) -> Kept:
    """Read what a comparison's folder goes on with; an older one lacks methods and seeds.

    Raises:
        CheckpointError: it holds no comparison.
    """
    content = _read(folder)
    if any((folder / name).exists() for name in OF_A_RUN):
        raise CheckpointError(
            f"{folder} holds a run; go on with {command('run', '--resume', str(folder))}"
        )
    return Kept.from_plain(content)


def _read(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"nothing to resume: {folder} holds no {CONFIG}")
    return read_json(folder / CONFIG)


def go_on_with(folder: Path, kept: RunConfig, given: RunConfig) -> dict[str, Any]:
    """Return the free settings in which ``given`` differs from those of a started folder.

    Raises:
        ConfigError: others differ; each is named with both values.
    """
    if lines := differences(to_dict(kept), to_dict(given), free=FREE):
        raise ConfigError(_other_settings(folder, lines))
    return {p: value_at(given, p) for p in FREE if value_at(given, p) != value_at(kept, p)}


def check_more(folder: Path, what: str, kept: Sequence[Any], given: Sequence[Any]) -> None:
    """Refuse a comparison that goes on with fewer methods or seeds than it was started with.

    Raises:
        ConfigError: some are missing.
    """
    if not set(kept) <= set(given):
        raise ConfigError(
            f"{folder} compares {what} {','.join(map(str, kept))}, not "
            f"{','.join(map(str, given))}; go on with these or more, or leave them out"
        )


def explicit(config: RunConfig) -> dict[str, Any]:
    """Return the settings of a configuration that differ from the defaults, by path."""
    usual = RunConfig()
    values = {path: value_at(config, path) for path in SETTINGS}
    return {path: value for path, value in values.items() if value != value_at(usual, path)}


def fingerprint(config: RunConfig, seeds: Sequence[int], method: str, data: MultimodalData) -> str:
    """Return a hash of all that the numbers depend on: configuration, seeds, method, data.

    A checkpoint goes on only in the experiment that wrote it.
    """
    import hashlib  # loads OpenSSL, which the command line's help need not wait for

    settings = to_dict(config)
    for path in (*UNRELATED, "seed"):
        section, _, name = path.rpartition(".")
        (settings[section] if section else settings).pop(name)
    shapes = {name: values.shape for name, values in data.modalities.items()}
    label = hashlib.blake2b(data.label.tobytes(), digest_size=8).hexdigest()
    text = json.dumps(settings, sort_keys=True)
    parts = (text, tuple(seeds), method, sorted(shapes.items()), label)
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _other_settings(folder: Path, lines: Sequence[str]) -> str:
    return (
        f"{folder} was started with other settings: {'; '.join(lines)}.  Leave them out to go on "
        "with those of the folder, or start anew with --overwrite"
    )
