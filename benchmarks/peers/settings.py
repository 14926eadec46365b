"""The experiments that the peers are measured on."""

from __future__ import annotations

from parse_dfl.config import RunConfig, with_values

SIXTEEN = "top=5,bottom=5,bottom+top=6"
TWELVE = "top=4,bottom=4,bottom+top=4"

DEFAULT = {"engine": "peers", "data.data": "digits", "agents": SIXTEEN, "eval_every": 1000}
"""Default networks: branches of 5 to 40 kB."""

LARGE = {"network.hidden": 1024, "network.latent": 1536, "training.local_steps": 1}
"""Backbones of 8 MB and fusion heads of 4 MB and more; heads are small in any network."""

SMALL = {
    "agents": TWELVE,
    "network.latent": 24,
    "network.hidden": 16,
    "training.local_steps": 2,
    "data.samples_per_agent": "48",
}
"""Small networks, for the tests of endurance."""


def experiment(*tables: dict[str, object], **values: object) -> RunConfig:
    """The default experiment with other settings, ``training__rounds=5``."""
    named = {name.replace("__", "."): value for name, value in values.items()}
    merged: dict[str, object] = dict(DEFAULT)
    for table in (*tables, named):
        merged |= table
    return with_values(RunConfig(), merged)
