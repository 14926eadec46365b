"""Declare the configuration of a run and of its audit, in JSON and TOML too, and compare two.

From its settings come the options of the command line and their help, experiment files, the
settings of ``Federation`` and ``fit`` in Python, and what all sites of a federation have alike.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from parse_dfl.agents import AgentMix, ModalityChange
from parse_dfl.byzantine import Averaging
from parse_dfl.config.federation import DATA, EXCHANGE, PEERS, DataConfig, OverlayConfig, PeerConfig
from parse_dfl.config.methods import method_spec
from parse_dfl.config.training import MACHINE, METHOD, TRAINING, NetworkConfig, TrainingConfig
from parse_dfl.errors import ConfigError, unknown
from parse_dfl.settings import Settings, read, setting, settings_of, to_plain
from parse_dfl.text import LARGEST

Value = TypeVar("Value")

GROUPS = (DATA, METHOD, TRAINING, EXCHANGE, MACHINE, PEERS)
"""Headings of the command line's help, in their order."""

DEVICES = ("cpu", "cuda")


def _check_device(device: str) -> None:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise unknown("device", device, DEVICES)


class RunConfig(Settings):
    """One run: a method, trained by a mix of agents, on a data set, over an overlay.

    ``agents`` None means ``a=5,b=5,a+b=5`` for data of exactly two modalities a and b.
    ``record`` names what else is measured while training: ``conflict``, the gradient conflict.
    ``events`` are changes of an agent's modalities.  Options of ``METHOD.NAME`` are for that method
    alone, and ``METHOD.lr`` is its learning rate.
    """

    group: ClassVar[str] = MACHINE

    agents: AgentMix | None = setting(
        None,
        "--agents MIX",
        "agents per modality set, as acc=5,gyro=5,acc+gyro=5 (two modalities a, b: a=5,b=5,a+b=5)",
        group=DATA,
    )
    method: str = setting(
        "parse",
        "--method NAME",
        "one of the methods listed below, or parse@RULE",
        group=METHOD,
        check=method_spec,
        shared=True,
    )
    method_options: Mapping[str, float | str | bool] = setting(
        {}, "--option NAME=VALUE", "an option of the method; repeatable", group=METHOD, shared=True
    )
    seed: int = setting(
        0, "--seed N", "seed of everything random", at_least=0, at_most=LARGEST, shared=True
    )
    data: DataConfig = setting(DataConfig)
    network: NetworkConfig = setting(NetworkConfig)
    training: TrainingConfig = setting(TrainingConfig)
    overlay: OverlayConfig = setting(OverlayConfig)
    peer: PeerConfig = setting(PeerConfig)
    events: tuple[ModalityChange, ...] = setting(
        (),
        "--event ROUND:AGENT:+MODALITY",
        "an agent gains (+) or loses (-) a modality before a round; repeatable",
        group=EXCHANGE,
    )
    eval_every: int = setting(
        10,
        "--eval-every ROUNDS",
        "rounds between evaluations",
        at_least=1,
        at_most=LARGEST,
        may_change=True,
    )
    eval_samples: int = setting(
        512,
        "--eval-samples COUNT",
        "test samples used while training; the end uses all",
        at_least=1,
        at_most=LARGEST,
        may_change=True,
    )
    checkpoint_every: int = setting(
        10,
        "--checkpoint-every ROUNDS",
        "rounds between checkpoints",
        at_least=1,
        at_most=LARGEST,
        may_change=True,
    )
    record: tuple[str, ...] = setting(
        (),
        "--record NAME",
        "also measure at every evaluation: conflict (of gradients); repeatable",
        noun="recording",
        choices=("conflict",),
    )
    device: str = setting("cpu", "--device NAME", "cpu, cuda or cuda:N", check=_check_device)
    compile: bool = setting(False, "--compile", "compile the training steps: a minute at the start")
    engine: str = setting(
        "simulate",
        "--engine NAME",
        "simulate: all agents in this process; peers: a process each, over the network",
        choices=("simulate", "peers"),
    )

    def __post_init__(self) -> None:
        """Check each setting, then those that depend on each other.

        Raises:
            ConfigError: a value cannot be used, alone or beside the others.
        """
        super().__post_init__()
        check_options(self.method_options, self.method)
        if self.overlay.attackers and self.engine != "simulate":
            raise ConfigError("attackers exist in simulations only; use --engine simulate")
        if self.data.standardise == "agreed":
            self._check_agreement()
        if self.training.keep_best and (self.engine != "simulate" or self.events):
            raise ConfigError(
                "which parameters did best is known only where all agents are in one process, and "
                "keep their modalities; leave out --keep-best, or use --engine simulate without "
                "--event"
            )
        if self._is_robust and self.training.share_moments != "none":
            raise ConfigError(
                f"robust {str(self.overlay.robust)!r} guards parameters, not moments, which "
                "attackers could spoil as well; use --share-moments none or --robust none"
            )

    def for_method(self, name: str) -> RunConfig:
        """Return the configuration of one method: its ``METHOD.lr`` is the learning rate.

        Raises:
            ConfigError: there is no such method, or its rate cannot be used.
        """
        options = dict(self.method_options)
        training = self.training
        if (lr := options.pop(f"{name}.lr", None)) is not None:
            if isinstance(lr, bool) or not isinstance(lr, int | float):
                raise ConfigError(f"option {name}.lr must be a number, not {lr!r}")
            training = replace(training, lr=float(lr))
        return replace(self, method=name, method_options=options, training=training)

    def options(self) -> dict[str, float | str | bool]:
        """Return the options meant for the method: ``tau`` or ``harmony.tau``, not
        ``parse.head_weight`` in a run of harmony."""
        return {
            key.rpartition(".")[2]: value
            for key, value in self.method_options.items()
            if key.rpartition(".")[0] in ("", self.method)
        }

    @property
    def _is_robust(self) -> bool:
        return not isinstance(self.overlay.robust, Averaging)

    def _check_agreement(self) -> None:
        if self.overlay.attackers or self._is_robust:
            raise ConfigError(
                "nothing guards what agents agree to standardise by against attackers; use "
                "--standardise own where some may lie"
            )


class AuditConfig(Settings):
    """How many agents of each modality set of a run are audited (None: all), and how."""

    keyword: ClassVar[str] = "an audit"
    agents_per_group: int | None = setting(
        2, "--agents-per-group COUNT|all", "agents of each modality set, drawn", at_least=1
    )
    probe_steps: int = setting(
        400, "--probe-steps COUNT", "training steps of each probe", at_least=1, at_most=LARGEST
    )
    seed: int = setting(0, "--seed N", "of probes and draws", at_least=0, at_most=LARGEST)


def check_options(options: Mapping[str, object], method: str) -> None:
    """Refuse options that no method has: those of other methods, as ``harmony.tau``, too.

    Raises:
        ConfigError: a method, or an option of it, is unknown, or a value cannot be used.
    """
    for key, value in options.items():
        of_method, dot, name = key.rpartition(".")
        if not dot:
            continue
        try:
            method_spec(of_method, {name: value}, may_have_lr=True)
        except ConfigError as error:
            raise ConfigError(f"option {key!r}: {error}") from error
    method_spec(method, {key: value for key, value in options.items() if "." not in key})


SETTINGS = settings_of(RunConfig)
"""Every setting of a run by its path (``seed``, ``training.lr``); names are unique."""

_PATHS = {setting.name: path for path, setting in SETTINGS.items()}
_SECTIONS = {path.partition(".")[0] for path in SETTINGS if "." in path}


def value_at(config: RunConfig, path: str) -> Any:
    """Return the setting at ``path``, such as ``training.lr``."""
    section, _, name = path.rpartition(".")
    return getattr(getattr(config, section) if section else config, name)


def to_dict(config: RunConfig) -> dict[str, Any]:
    """Return ``config`` as JSON values; :func:`from_dict` gives an equal configuration back."""
    return dict(to_plain(config))


def from_dict(mapping: Mapping[str, Any]) -> RunConfig:
    """Return the configuration that ``mapping`` describes; what it leaves out keeps its default.

    Raises:
        ConfigError: a setting is unknown, has the wrong type or is out of its range.
    """
    config = read(RunConfig, mapping, "")
    assert isinstance(config, RunConfig)
    return config


def load_toml(path: Path) -> RunConfig:
    """Read an experiment file: settings by name alone, or under ``[data]``, ``[network]``, ….

    Raises:
        ConfigError: the file cannot be read, is no TOML (the line is named), or holds a setting
            that is unknown, given twice, or cannot be used.
    """
    return read_toml(path, from_settings)


def read_toml(path: Path, read_settings: Callable[[dict[str, Any]], Value]) -> Value:
    """Return what ``read_settings`` makes of a file; errors name the file.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or ``read_settings`` raises it.
    """
    try:
        return read_settings(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def from_settings(settings: Mapping[str, Any]) -> RunConfig:
    """Return the configuration of settings that stand by name alone, or in sections.

    Raises:
        ConfigError: a setting is unknown, given twice, or cannot be used.
    """
    return from_dict(_into_sections(settings))


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return ``config`` with some settings changed, by path: ``{"training.lr": 0.01}``.

    A table, such as ``network.encoders``, keeps the entries that the new one does not name.

    Raises:
        ConfigError: a setting is unknown or cannot be used.
    """
    settings: dict[str, Any] = dict(vars(config))
    for path, value in values.items():
        section, dot, name = path.rpartition(".")
        if dot and not isinstance(settings[section], dict):
            settings[section] = dict(vars(settings[section]))
        table = settings[section] if dot else settings
        old = table.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = {**old, **value}
        table[name] = value
    return from_dict(settings)


def _into_sections(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Move settings that stand at the top of a file into the section that they belong to."""
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        if name in _SECTIONS and isinstance(value, Mapping):
            _fill(nested.setdefault(name, {}), value)
        elif name in _PATHS:
            section = _PATHS[name].rpartition(".")[0]
            _fill(nested.setdefault(section, {}) if section else nested, {name: value})
        else:
            raise unknown("setting", name, {*_PATHS, *_SECTIONS})
    return nested


def _fill(table: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in table:
            raise ConfigError(f"{name!r} is given twice; keep one of them")
        table[name] = value


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, free: Collection[str] = ()
) -> list[str]:
    """Return ``training.lr is 0.006 there, 0.01 here`` for each setting that differs.

    Args:
        before, now: settings as :func:`to_dict` gives them.
        free: paths of settings, such as ``data.data_dir``, and sections that may differ.
    """
    one, other = dict(_flat(before)), dict(_flat(now))
    return [
        f"{path} is {_shown(one, path)} there, {_shown(other, path)} here"
        for path in sorted({*one, *other} - set(free))
        if one.get(path) != other.get(path) and path.partition(".")[0] not in free
    ]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", tuple(value) if isinstance(value, list) else value


def _shown(settings: Mapping[str, Any], path: str) -> str:
    value = settings.get(path)
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)
