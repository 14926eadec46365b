"""Every example, the README's too, runs as it stands and says what it promises to say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
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


def test_the_lines_in_the_readme_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(compile(lines, "README.md", "exec"), {})
    assert (tmp_path / "runs/events/summary.json").exists()
    groups, both, one = capsys.readouterr().out.splitlines()
    assert "'acc+mic'" in groups
    assert len(both) == len(one)


def test_every_link_in_the_documents_leads_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
