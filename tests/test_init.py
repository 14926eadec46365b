from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import parse_dfl

PUBLIC = {
    "AgentSpec", "Batch", "Branch", "DataConfig", "Dropout", "Exchange", "Method", "Mixing",
    "NetworkConfig", "Outputs", "OverlayConfig", "Own", "ParseDflError", "ParseNetwork", "Rows",
    "RunConfig", "SampleShape", "Sent", "Stage", "TrainedAgent", "TrainingConfig",
    "__version__", "compare", "cross_entropy", "from_mapping", "from_torch_dataset",
    "load_agent", "load_data", "modality_loss", "partial_alignment", "resume_run", "run",
    "tune_process", "write_report",
}  # fmt: skip


def test_all_is_what_the_package_offers():
    assert set(parse_dfl.__all__) == PUBLIC
    assert parse_dfl.__all__ == sorted(parse_dfl.__all__)
    assert dir(parse_dfl) == sorted(PUBLIC)
    assert set(parse_dfl._HOMES) | {"__version__"} == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_public_name_is_there(name):
    value = getattr(parse_dfl, name)
    assert value.__doc__


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'rnu'"):
        parse_dfl.rnu  # noqa: B018


def test_importing_the_package_loads_nothing_slow():
    code = "import sys, parse_dfl; print([n for n in ('torch', 'numpy') if n in sys.modules])"
    source = str(Path(parse_dfl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert done.stdout == "[]\n"
