"""Every option that sets something of the configuration: its table, reading, and parsing.

Every option that sets something of the configuration, in one table.

An option's type and default come from the dataclass field that it names; the table adds the
flag and the sentence that ``--help`` shows.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from parse_dfl.errors import ConfigError
from parse_dfl.runs.config import (
    PLACES,
    RunConfig,
    load_toml,
    validate,
    value_at,
    with_own_lr,
    with_values,
)
from parse_dfl.runs.resuming import explicit
from parse_dfl.text import LARGEST, real, whole


def is_repeatable(hint: Any) -> bool:
    """Whether the option may stand several times: a table or a list of any length."""
    origin: Any = get_origin(hint)
    return origin is Mapping or get_args(hint)[1:] == (Ellipsis,)


def reader(hint: Any) -> Callable[[str], Any]:
    """How the text of an option becomes a value of the type ``hint``."""
    origin: Any = get_origin(hint)
    if origin is UnionType:
        first, *others = get_args(hint)
        return _numbers_or_a_word if str in others else reader(first)
    if origin is Mapping:
        return _pair_of_text if get_args(hint)[1] is str else _pair
    if origin is tuple and not is_repeatable(hint):
        return _numbers
    readers: dict[Any, Callable[[str], Any]] = {int: whole_number, float: _number}
    return readers.get(hint, str)


def whole_number(text: str) -> int:
    """A whole number, for argparse."""
    number = whole(text)
    if number is None:
        huge = re.fullmatch(r"[+-]?[0-9]+", text.strip())
        told = f"is beyond ±{LARGEST}" if huge else "is no whole number"
        raise argparse.ArgumentTypeError(f"{_cut(text)} {told}")
    return number


def _number(text: str) -> float:
    number = real(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{_cut(text)} is no number")
    return number


def _cut(text: str) -> str:
    """Quote a text for a message, without the middle of one of hundreds of digits."""
    return repr(text if len(text) <= 60 else f"{text[:40]}…{text[-10:]}")


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split(",")]


def _numbers_or_a_word(text: str) -> list[float] | str:
    return text if text.isalpha() else _numbers(text)


def _pair_of_text(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _pair(text: str) -> tuple[str, float | str | bool]:
    name, value = _pair_of_text(text)
    if value in ("true", "false"):
        return name, value == "true"
    number = real(value)
    return name, value if number is None else number


def positive(text: str, most: int = LARGEST) -> int:
    """A whole number of at least one, for argparse."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 or more")
    if number > most:
        raise argparse.ArgumentTypeError(f"{number} is too many; give at most {most}")
    return number


def at_most(most: int) -> Callable[[str], int]:
    """Read a whole number from 1 to ``most``, for argparse."""
    return partial(positive, most=most)


def seed(text: str) -> int:
    """Read a whole number of at least zero, for argparse."""
    number = whole_number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is no seed; give 0 or more")
    return number


def accuracies(text: str) -> list[float]:
    """Numbers above 0 and at most 1, joined by commas, for argparse."""
    values = _numbers(text)
    for value in values:
        if not 0 < value <= 1:
            raise argparse.ArgumentTypeError(f"{value:g} is no accuracy; give 0.8 for 80 %")
    return values


def count_or_all(text: str) -> int | None:
    """A whole number of at least one, or None for ``all``, for argparse."""
    return None if text == "all" else positive(text)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option: ``place`` is the setting's place in the configuration (``training.lr``)."""

    flag: str
    place: str
    metavar: str
    help: str


def _option(flag: str, place: str, metavar: str, text: str) -> Option:
    return Option(flag=flag, place=place, metavar=metavar, help=text)


GROUPS: Mapping[str, tuple[Option, ...]] = {
    "data and agents": (
        _option("--data", "data.data", "NAME|FILE", "a name that 'data' lists, or a .npz file"),
        _option("--agents", "agents", "MIX", "agents per modality set, as acc=5,gyro=5,acc+gyro=5"
                " (two modalities a, b: a=5,b=5,a+b=5)"),
        _option("--partition", "data.partition", "RULE",
                "samples over agents: iid, dirichlet:ALPHA or subject"),
        _option("--samples-per-agent", "data.samples_per_agent", "COUNT",
                "training samples of each agent: 64, a range 16..128, or by set acc=64,gyro=16..32"
                " (else at most 64)"),
        _option("--test", "data.test", "RULE",
                "test part: auto, is_test, subject:3,7 or fraction:0.2"),
        _option("--evaluate-on", "data.evaluate_on", "PART",
                "test, or validation while you are still tuning"),
        _option("--standardise", "data.standardise", "RULE",
                "inputs by each agent's own samples, or by moments agreed on by gossip: own or"
                " agreed"),
        _option("--data-dir", "data.data_dir", "DIR", "folder of the named sets"
                " (else the environment's PARSE_DFL_DATA)"),
        _option("--kind", "data.kind", "MODALITY=KIND", "kind that the shape does not tell: vector,"
                " series, image or video, with its axes as in image:chw; repeatable"),
        _option("--subject-key", "data.subject_key", "KEY", "column that says whose a sample is"),
    ),
    "method and network": (
        _option("--method", "method", "NAME", "one of the methods listed below, or parse@RULE"),
        _option("--option", "method_options", "NAME=VALUE", "an option of the method; repeatable"),
        _option("--latent", "network.latent", "D", "width of a modality's latent"),
        _option("--hidden", "network.hidden", "WIDTH", "width of hidden layers"),
        _option("--split", "network.split", "R,U,S|auto",
                "relative widths of the redundant, unique and synergistic slice; 0 leaves one out;"
                " auto: by the bits that the training data have of each"),
        _option("--fusion", "network.fusion", "NAME", "concat, sum, product, gated or attention"),
        _option("--dropout", "network.dropout", "P", "share of units dropped in training"),
        _option("--encoder", "network.encoders", "[SET:]MODALITY=NAME",
                "encoder of a modality, for all agents or those of one set; repeatable"),
    ),
    "local training": (
        _option("--rounds", "training.rounds", "T", "rounds of local training and mixing"),
        _option("--local-epochs", "training.local_epochs", "E", "passes over the samples a round"),
        _option("--local-steps", "training.local_steps", "K",
                "batches a round, in place of --local-epochs"),
        _option("--batch-size", "training.batch_size", "B", "samples a batch"),
        _option("--optimizer", "training.optimizer", "NAME", "adam, adamw or sgd"),
        _option("--lr", "training.lr", "RATE", "learning rate (else the method's own)"),
        _option("--schedule", "training.schedule", "NAME", "of the rate: cosine or constant"),
        _option("--momentum", "training.momentum", "M", "momentum of sgd; β₁ of adam and adamw"),
        _option(
            "--global-momentum",
            "training.global_momentum",
            "M",
            "move on by this share of the last round's way, exchange included",
        ),
        _option("--weight-decay", "training.weight_decay", "W", "weight decay"),
        _option("--prior-correction", "training.prior_correction", "TAU",
                "logit adjustment by local label counts; 0: plain cross-entropy"),
        _option("--dtype", "training.dtype", "NAME", "float32, float64 or bfloat16"),
        _option("--mixed-precision", "training.mixed_precision", "",
                "forward passes in bfloat16; pays on CUDA"),
    ),
    "exchange": (
        _option("--topology", "overlay.topology", "NAME",
                "overlay of each branch, as ring, regular:4, erdos-renyi:0.3, file:PATH"),
        _option("--by-samples", "overlay.by_samples", "", "weight agents by their sample counts"),
        _option("--share-moments", "training.share_moments", "NAME",
                "none, or second: average Adam's second moment too, at twice the payload"),
        _option("--robust", "overlay.robust", "RULE",
                "averaging that withstands attackers: none, clipping, balance or trimmed-mean, with"
                " settings as clipping:attackers=2, balance:gamma=1,kappa=1, "
                "trimmed-mean:attackers=0.2"),
        _option("--attacker", "overlay.attackers", "AGENT:ATTACK",
                "an agent sends false parameters: random, sign-flip or scale, with a strength as"
                " acc-0:scale:10; repeatable"),
        _option("--absence", "overlay.absence", "P", "probability that an agent misses a round"),
        _option("--event", "events", "ROUND:AGENT:+MODALITY",
                "an agent gains (+) or loses (-) a modality before a round; repeatable"),
    ),
    "evaluation and machine": (
        _option("--eval-every", "eval_every", "ROUNDS", "rounds between evaluations"),
        _option("--eval-samples", "eval_samples", "COUNT",
                "test samples used while training; the end uses all"),
        _option("--record", "record", "NAME",
                "also measure at every evaluation: conflict (of gradients); repeatable"),
        _option("--checkpoint-every", "checkpoint_every", "ROUNDS", "rounds between checkpoints"),
        _option("--seed", "seed", "N", "seed of everything random"),
        _option("--device", "device", "NAME", "cpu, cuda or cuda:N"),
        _option("--compile", "compile", "", "compile the training steps: a minute at the start"),
        _option("--memory-limit", "training.memory_limit", "SIZE",
                "what the process may hold, such as 2GiB: rows are worked on in chunks that fit"),
        _option("--engine", "engine", "NAME",
                "simulate: all agents in this process; peers: a process each, over the network"),
    ),
    "peers (--engine peers)": (
        _option("--pace", "peer.pace", "NAME",
                "synchronous rounds, or asynchronous gossip at each peer's own pace"),
        _option("--deadline", "peer.deadline_s", "SECONDS",
                "a synchronous round waits for neighbours no longer"),
        _option("--least-round", "peer.least_round_s", "SECONDS",
                "a round lasts so long at least, and spares the processor meanwhile"),
        _option("--lease", "peer.lease_s", "SECONDS", "a peer silent for so long is gone"),
        _option("--window", "peer.window", "ROUNDS",
                "rounds for which a neighbour's state may be used"),
        _option("--staleness", "peer.staleness", "POWER",
                "asynchronous: an age of a rounds weighs (1 + a)^-POWER"),
        _option("--insecure", "peer.insecure", "",
                "no certificates, no encryption: for trials on one machine"),
    ),
}  # fmt: skip


def add_options(parser: argparse.ArgumentParser, places: Collection[str] = tuple(PLACES)) -> None:
    """Add ``--config`` and the options of the table that set one of ``places``."""
    defaults = RunConfig()
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            if option.place in places:
                _add(group, option, _shown(value_at(defaults, option.place)))
    parser.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="experiment file; options overrule it"
    )


def configuration(args: argparse.Namespace) -> RunConfig:
    """Defaults, overruled by ``--config``, overruled by the options given.

    Raises:
        ConfigError: the file cannot be used, or a value is out of its range.
    """
    config = with_values(_file(args), _on_the_line(args))
    validate(config)
    return config


def _file(args: argparse.Namespace) -> RunConfig:
    """The experiment file; a learning rate on the command line overrules its ``METHOD.lr`` too."""
    config = load_toml(args.config) if args.config else RunConfig()
    if not hasattr(args, "training.lr"):
        return config
    options = {key: v for key, v in config.method_options.items() if not key.endswith(".lr")}
    return replace(config, method_options=options)


def _on_the_line(args: argparse.Namespace) -> dict[str, Any]:
    return {place: _joined(flag, getattr(args, place)) for flag, place in given(args).items()}


def over(kept: RunConfig, args: argparse.Namespace, method: str | None = None) -> RunConfig:
    """``kept``, what a folder was started with, overruled by all that is given now; of one
    ``method`` its own learning rate.

    Raises:
        ConfigError: the file cannot be used, or a value is out of its range.
    """
    config = with_values(with_values(kept, explicit(_file(args))), _on_the_line(args))
    config = config if method is None else with_own_lr(config, method)
    validate(config)
    return config


def given(args: argparse.Namespace) -> dict[str, str]:
    """Flag → place of every option of the table that stands on the command line."""
    table = {option.flag: option.place for options in GROUPS.values() for option in options}
    return {flag: place for flag, place in table.items() if hasattr(args, place)}


def _add(group: Any, option: Option, default: str) -> None:
    hint = PLACES[option.place]
    text = f"{option.help}{f' (default: {default})' if default else ''}".replace("%", "%%")
    settings = {"dest": option.place, "default": argparse.SUPPRESS, "help": text}
    if hint is bool:
        group.add_argument(option.flag, action=argparse.BooleanOptionalAction, **settings)
        return
    if is_repeatable(hint):
        settings["action"] = "append"
    group.add_argument(option.flag, type=reader(hint), metavar=option.metavar, **settings)


def _joined(flag: str, value: Any) -> Any:
    """Pairs given one option at a time become a table, each name once.

    Raises:
        ConfigError: a name is given twice.
    """
    if not (isinstance(value, list) and all(isinstance(entry, tuple) for entry in value)):
        return value
    names = [name for name, _ in value]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{flag} gives {name!r} twice; give each name one value")
    return dict(value)


def _shown(default: Any) -> str:
    if default is None or default is False or default in ((), {}):
        return ""
    if isinstance(default, tuple):
        return ",".join(_shown(entry) for entry in default)
    return f"{default:g}" if isinstance(default, float) else str(default)
