"""Every example runs as it stands, and says what it promises to say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "changing_modalities.py": "top-3         ends with bottom+top",
    "own_data.py": "read from the Dataset: the same mean accuracy",
    "own_encoder.py": "top alone:",
    "own_method.py": "bytes per link",
    "own_topology.py": "8 owners, 10 links",
}


def test_each_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_the_example_runs(name, capsys):
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert SAYS[name] in capsys.readouterr().out
