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
    "own_method.py": "mine against parse, paired over 2 seeds",
    "own_topology.py": "8 owners, 10 links",
    "quickstart.py": "parse against harmony, paired over 3 seeds",
}


def test_each_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_the_example_runs(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert SAYS[name] in capsys.readouterr().out


def lines_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_lines_in_the_readme_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    printed, own_data = lines_of("README.md")
    exec(compile(printed, "README.md", "exec"), {})
    assert (tmp_path / "runs/demo/report.html").exists()
    assert "parse against harmony, paired over 3 seeds" in capsys.readouterr().out
    exec(compile(own_data, "README.md", "exec"), {})
    *table, both, one = capsys.readouterr().out.splitlines()
    assert any("acc+mic" in line for line in table)
    assert len(both) == len(one)


def test_the_lines_in_the_reference_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for lines in lines_of("docs/python.md"):
        exec(compile(lines, "docs/python.md", "exec"), names)
    assert (tmp_path / "runs/mine/summary.json").exists()


def test_every_link_in_the_documents_leads_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
