"""Every option that sets something of the configuration, in one table.

An option's type and default come from the dataclass field that it names; the table adds the
flag and the sentence that ``--help`` shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from parse_dfl.experiments.config import (
    PLACES,
    RunConfig,
    load_toml,
    validate,
    value_at,
    with_values,
)


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
        _option("--data", "data.data", "NAME|FILE", "a name that 'data' lists, or the path of a .npz"),
        _option("--agents", "agents", "MIX", "agents per modality set, as acc=5,gyro=5,acc+gyro=5"
                " (two modalities a, b: a=5,b=5,a+b=5)"),
        _option("--partition", "data.partition", "RULE",
                "samples over agents: iid, dirichlet:ALPHA or subject"),
        _option("--samples-per-agent", "data.samples_per_agent", "COUNT",
                "training samples of each agent (at most 64 where not given)"),
        _option("--test", "data.test", "RULE",
                "test part: auto, is_test, subject:3,7 or fraction:0.2"),
        _option("--evaluate-on", "data.evaluate_on", "PART",
                "test, or validation while you are still tuning"),
        _option("--data-dir", "data.data_dir", "DIR", "folder of the named sets"
                " (else the environment's PARSE_DFL_DATA)"),
        _option("--kind", "data.kind", "MODALITY=KIND", "kind that the shape does not tell: vector,"
                " series, image or video; repeatable"),
        _option("--subject-key", "data.subject_key", "KEY", "column that says whose a sample is"),
    ),
    "method and network": (
        _option("--method", "method", "NAME", "one of the methods listed below, or parse@RULE"),
        _option("--option", "method_options", "NAME=VALUE", "an option of the method; repeatable"),
        _option("--latent", "network.latent", "D", "width of a modality's latent"),
        _option("--hidden", "network.hidden", "WIDTH", "width of hidden layers"),
        _option("--split", "network.split", "R,U,S",
                "relative widths of the redundant, unique and synergistic slice; 0 leaves one out"),
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
        _option("--momentum", "training.momentum", "M", "momentum of sgd"),
        _option("--weight-decay", "training.weight_decay", "W", "weight decay"),
        _option("--prior-correction", "training.prior_correction", "TAU",
                "logit adjustment by local label counts; 0: plain cross-entropy"),
        _option("--dtype", "training.dtype", "NAME", "float32 or float64"),
    ),
    "exchange": (
        _option("--topology", "overlay.topology", "NAME",
                "overlay of each branch, as ring, regular:4, erdos-renyi:0.3, file:PATH"),
        _option("--by-samples", "overlay.by_samples", "", "weight agents by their sample counts"),
        _option("--share-moments", "training.share_moments", "NAME",
                "none, or second: average Adam's second moment too, at twice the payload"),
        _option("--absence", "overlay.absence", "P", "probability that an agent misses a round"),
        _option("--event", "events", "ROUND:AGENT:+MODALITY",
                "an agent gains (+) or loses (-) a modality before a round; repeatable"),
    ),
    "evaluation and machine": (
        _option("--eval-every", "eval_every", "ROUNDS", "rounds between evaluations"),
        _option("--eval-samples", "eval_samples", "COUNT",
                "test samples used while training; the end uses all"),
        _option("--checkpoint-every", "checkpoint_every", "ROUNDS", "rounds between checkpoints"),
        _option("--seed", "seed", "N", "seed of everything random"),
        _option("--device", "device", "NAME", "cpu, cuda or cuda:N"),
        _option("--compile", "compile", "", "compile the training step; 10 to 40 s at the start"),
        _option("--engine", "engine", "NAME", "simulate: all agents in this process"),
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
    config = load_toml(args.config) if args.config else RunConfig()
    values = {place: getattr(args, place) for place in given(args).values()}
    config = with_values(config, {place: _joined(value) for place, value in values.items()})
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
    if _is_repeatable(hint):
        settings["action"] = "append"
    group.add_argument(option.flag, type=_reader(hint), metavar=option.metavar, **settings)


def _is_repeatable(hint: Any) -> bool:
    origin: Any = get_origin(hint)
    return origin is Mapping or get_args(hint)[1:] == (Ellipsis,)


def _reader(hint: Any) -> Callable[[str], Any]:
    """How the text of an option becomes a value of the type ``hint``."""
    origin: Any = get_origin(hint)
    if origin is UnionType:
        return _reader(get_args(hint)[0])
    if origin is Mapping:
        return _pair_of_text if get_args(hint)[1] is str else _pair
    if origin is tuple and not _is_repeatable(hint):
        return _numbers
    readers: dict[Any, Callable[[str], Any]] = {int: _whole_number, float: _number}
    return readers.get(hint, str)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split(",")]


def _pair_of_text(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _pair(text: str) -> tuple[str, float | str | bool]:
    name, value = _pair_of_text(text)
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _joined(value: Any) -> Any:
    """Pairs given one option at a time become a table."""
    is_pairs = isinstance(value, list) and all(isinstance(entry, tuple) for entry in value)
    return dict(value) if is_pairs else value


def _shown(default: Any) -> str:
    if default is None or default is False or default in ((), {}):
        return ""
    if isinstance(default, tuple):
        return ",".join(_shown(entry) for entry in default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def positive(text: str) -> int:
    """A whole number of at least one, for argparse."""
    number = _whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 or more")
    return number
