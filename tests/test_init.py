from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import parse_dfl

PUBLIC = {
    "AgentSpec", "Attacker", "Batch", "Branch", "BySubject", "Callback", "CheckpointError",
    "ChordalRing", "Complete", "ConfigError", "DataError", "Dataset", "Difference", "Dirichlet",
    "Dropout", "ErdosRenyi", "Aggregation", "Exponential", "Federation", "IID", "IdentityError",
    "Method", "MixingMatrix", "ModalityChange", "OnePeerExponential", "OutputError", "Outputs",
    "OverlayError", "ParseDflError", "ParseNetwork", "PeerError", "RandomMatching", "RankError",
    "RecordError", "Regular", "Result", "Ring", "SampleShape", "ScaleFree", "Messages",
    "BranchView", "SmallWorld", "Stage", "Study", "Topology", "TrainedAgent", "UnknownNameError",
    "__version__", "compare", "cross_entropy", "estimate_pid", "load_agent", "load_dataset",
    "modality_loss", "partial_alignment", "probe", "tune_process", "write_report",
}  # fmt: skip


def test_all_is_what_the_package_offers():
    assert set(parse_dfl.__all__) == PUBLIC
    assert len(parse_dfl.__all__) == len(PUBLIC)
    assert sorted(dir(parse_dfl)) == sorted(PUBLIC)
    assert set(parse_dfl._HOMES) | {"__version__"} == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_public_name_is_there(name):
    value = getattr(parse_dfl, name)
    assert value.__doc__


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'rnu'"):
        parse_dfl.rnu  # noqa: B018


def test_importing_the_package_loads_nothing_slow():
    code = """
import sys, parse_dfl
from parse_dfl.methods import DSGD, Clipping, Harmony, Parse
Parse(contrastive_weight=0.2)
print([name for name in ("torch", "numpy") if name in sys.modules])
"""
    source = str(Path(parse_dfl.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert done.stdout == "[]\n"
