"""Draw command lines from the parsers' own options, with good, bad and odd values."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from parse_dfl.cli.entry import build

ODD = (
    "", " ", "0", "-0", "1", "2", "-1", "--5", "²", "٣", "1_000", "1e3", "1e29", "1e400", "nan",
    "inf", "-inf", "0x10", "9" * 40, "9223372036854775807", "9223372036854775808", "1.5", "a=²",
    "a=--5", "a=1,b=1", "a+b=2", "a+a=1", "a=1,a=1", "+", "=", ",", ":", "..", "1..3", "3..1",
    "1..9223372036854775807", "a=1..2", "none", "auto", "all", "true", "\udcff", "é", "日本",
    "\n", "[bold]", "%s", "{}", "x" * 300, "../..", "/dev/null", ".", "good.npz", "missing.npz",
    "broken.toml", "done", "file:good.npz", "file:.", "subject:", "subject:²", "fraction:nan",
    "fraction:0.2", "dirichlet:", "dirichlet:1e-320", "dirichlet:0.3", "regular:²", "regular:4",
    "ring", "ring:3", "erdos-renyi:nan", "digits:²", "digits:3", "synthetic:noise=nan",
    "synthetic:samples=0", "synthetic:x", "1:a-0:+b", "²:a-0:+b", "a-0:scale:1e400",
    "a-0:random", "a=vector", "a=mlp2", "a=video", "1,1,1", "0,0,0", "1e308,1e308,1e308", "-1,1,1",
    "trimmed-mean:attackers=nan", "clipping:attackers=2", "parse@", "parse@hybrid", "harmony",
    "local",
    "2GiB", "1kib", "0", "²GiB", "adam", "sgd", "cuda", "cuda:99", "cpu", "bfloat16", "float64",
    "conflict", "test", "validation", "agreed", "second", "concat", "constant", "peers", "tau=0",
)  # fmt: skip
"""Values that any option may get: some fit some options, most fit none."""

TINY = (
    "--data", "good.npz", "--agents", "a=2,b=1,a+b=1", "--rounds", "1", "--latent", "3",
    "--hidden", "4", "--samples-per-agent", "8", "--batch-size", "4", "--quiet",
)  # fmt: skip
"""A run of a tenth of a second; later options overrule these."""

SLOW = {
    "--compile",  # a minute a case
    "--engine",  # processes and ports
    "--defaults",
    "--rounds",  # may be as many as one likes
    "--local-epochs",
    "--local-steps",
    "--probe-steps",
    "--seeds",
}
"""Options that a right but large value makes slow; they get values from ``WRONG`` only."""

GOOD: Mapping[str, Sequence[str]] = {
    "--data": ("good.npz", "synthetic:samples=400", "digits"),
    "--agents": ("a=1,b=1", "a+b=2", "a=2,b=2,a+b=2", " a = 1 , b=1"),
    "--partition": ("iid", "dirichlet:0.3", "dirichlet:1e-6"),
    "--samples-per-agent": ("1", "1..8", "a=3,b=1..4,a+b=8", "8..8"),
    "--test": ("auto", "fraction:0.5", "is_test"),
    "--evaluate-on": ("test", "validation"),
    "--standardise": ("own", "agreed"),
    "--kind": ("a=vector", "b=vector", "a=series"),
    "--method": ("parse", "local", "oracle", "harmony", "parse@hybrid", "sheaf-dmfl", "batch"),
    "--methods": ("parse", "oracle,local", "parse-adaptive", "parse-faithful", "dsgd-task"),
    "--option": ("tau=0.1", "harmony.tau=1", "parse.lr=1e-3", "contrastive_weight=0"),
    "--split": ("1,1,1", "1,0,0", "auto", "3,2,1"),
    "--fusion": ("sum", "product", "gated", "attention"),
    "--dropout": ("0", "0.99"),
    "--latent": ("1", "2", "6"),
    "--hidden": ("1", "5"),
    "--encoder": ("a=mlp2", "a+b:b=linear"),
    "--batch-size": ("1", "1000000"),
    "--optimizer": ("adam", "adamw", "sgd"),
    "--lr": ("1e-30", "0.1", "1e30"),
    "--schedule": ("cosine", "constant"),
    "--momentum": ("0", "0.999"),
    "--global-momentum": ("0.5",),
    "--weight-decay": ("0.1", "1e30"),
    "--prior-correction": ("0", "1e30"),
    "--dtype": ("float64", "bfloat16"),
    "--topology": ("full", "regular:2", "erdos-renyi:0.001", "exponential", "random-matching"),
    "--share-moments": ("second",),
    "--robust": ("clipping", "balance:gamma=1e30", "trimmed-mean:attackers=0.2"),
    "--attacker": ("a-0:random", "b-0:scale:1e30", "a+b-0:sign-flip"),
    "--absence": ("0.5", "0.999"),
    "--event": ("1:a-0:+b", "1:a+b-0:-a"),
    "--eval-every": ("1", "9223372036854775807"),
    "--eval-samples": ("1", "9223372036854775807"),
    "--checkpoint-every": ("1", "9223372036854775807"),
    "--record": ("conflict",),
    "--seed": ("0", "9223372036854775807", "+7"),
    "--memory-limit": ("64GiB", "1.5 gib", "1"),
    "--rounds": ("1", "2"),
    "--local-steps": ("1", "3"),
    "--local-epochs": ("2",),
    "--threads": ("1", "2", "all"),
    "--reach": ("0.5", "0.1,1"),
    "--agents-per-group": ("1", "all"),
    "--days": ("1", "36500"),
    "--host": ("localhost", "10.0.0.7", "::1"),
}
"""Values that fit, or fit other options than those beside them."""

WRONG = ("", "0", "-1", "²", "1_000", "1e29", "nan", "9" * 40, "x", "--5", "1.5", "٣")
COMMANDS = ("run", "compare", "data", "report", "pid", "audit", "cert", "node")


def write_files(folder: Path) -> None:
    """Write what the command lines name."""
    rng = np.random.default_rng(0)
    np.savez(
        folder / "good.npz",
        a=rng.normal(size=(90, 3)),
        b=rng.normal(size=(90, 4)),
        label=np.arange(90) % 3,
    )
    (folder / "broken.toml").write_text("rounds = = 3\n", encoding="utf-8")
    (folder / "done").mkdir(exist_ok=True)


def command_line(seed: int) -> list[str]:
    """Return one command line; the same one for the same seed."""
    rng = random.Random(seed)
    command = rng.choice(COMMANDS)
    words = [command, *_ordinary(command, rng)]
    for _ in range(rng.choice((0, 1, 1, 2, 3, 4, 5))):
        words += _option(command, rng)
    if rng.random() < 0.1:
        words.insert(rng.randrange(len(words) + 1), rng.choice(ODD))
    if rng.random() < 0.1:
        words[0] = _misspelt(command, rng)
    return words


def options() -> dict[str, list[argparse.Action]]:
    """Return the options of every command and of what stands below it."""
    _, commands = build()
    return {name: list(_actions(commands.choices[name])) for name in COMMANDS}


def _actions(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    own = [action for action in parser._actions if action.option_strings]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                own += _actions(below)
    return own


_OPTIONS = options()


def _ordinary(command: str, rng: random.Random) -> list[str]:
    """Return words that would do, or nearly."""
    ordinary: dict[str, Callable[[], list[str]]] = {
        "run": lambda: [*TINY, "--out", "out", "--overwrite"],
        "compare": lambda: [
            *TINY, "--methods", "parse,local", "--seeds", "1", "--out", "out", "--overwrite"
        ],
        "data": lambda: rng.choice(([], ["good.npz"], ["digits"], ["synthetic"])),
        "report": lambda: [rng.choice(("done", "missing", "good.npz", "out"))],
        "pid": lambda: ["good.npz", "--modalities", "a,b"],
        "audit": lambda: [rng.choice(("done", "missing", "good.npz"))],
        "cert": lambda: rng.choice(
            ([], ["show", "done"], ["issue", "a-0"], ["ca", "--federation", "f", "--out", "ca"])
        ),
        "node": lambda: rng.choice(
            ([], ["broken.toml"], ["init", "--defaults", "agent.toml"], ["status", "missing.toml"])
        ),
    }  # fmt: skip
    whole = command in ("run", "compare") or rng.random() < 0.9  # their defaults take minutes
    return ordinary[command]() if whole else []


def _option(command: str, rng: random.Random) -> list[str]:
    action = rng.choice(_OPTIONS[command])
    if isinstance(action, argparse._HelpAction) and rng.random() < 0.8:
        action = rng.choice(_OPTIONS[command])
    flag = rng.choice(action.option_strings)
    if flag in SLOW and action.nargs == 0:
        return []
    values = WRONG if flag in SLOW else ODD
    if rng.random() < 0.08:
        flag = _misspelt(flag, rng)
        values = WRONG
    if action.nargs == 0 and rng.random() < 0.9:
        return [flag]
    if rng.random() < 0.05:
        return [flag]
    good = rng.random() < 0.75
    value = rng.choice(GOOD[flag] if good and flag in GOOD else values)
    return [f"{flag}={value}"] if rng.random() < 0.5 else [flag, value]


def _misspelt(name: str, rng: random.Random) -> str:
    place = rng.randrange(len(name))
    return name[:place] + rng.choice(("", "x", name[place].upper(), "-")) + name[place + 1 :]
