"""Results: tables, curves, agents without a file, and the folder behind them."""

from __future__ import annotations

import gc
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from parse_dfl import OutputError, RecordError, UnknownNameError, load_agent
from parse_dfl.api.result import Result
from parse_dfl.cli import main


def test_it_prints_as_the_table_of_the_command_line(result, tmp_path, capsys):
    lines = str(result).splitlines()
    assert lines[0] == "parse on digits, seed 0, in percent"
    assert any(line.split()[:2] == ["bottom+top", "2"] for line in lines)
    assert f"{100 * result.accuracy:.1f}" in str(result)
    assert repr(result) == (
        f"<Result of parse on digits, seed 0: {100 * result.accuracy:.1f} % mean accuracy>"
    )


def test_a_notebook_shows_an_html_table(result):
    html = ElementTree.fromstring(f"<div>{result._repr_html_()}</div>")
    rows = html.findall("table/tbody/tr")
    assert [row[0].text for row in rows] == ["bottom", "top", "bottom+top", "all agents"]
    assert len(html.findall("table/thead/tr/th")) == len(rows[0])


def test_curves_are_a_data_frame(result):
    curves = result.curves
    assert list(curves["round"].unique()) == [2, 4]
    assert set(curves["group"]) == {"bottom", "top", "bottom+top"}
    assert {"accuracy", "macro_f1", "local_accuracy", "loss"} <= set(curves.columns)
    last = curves[curves["round"] == 4].set_index("group")["accuracy"]
    assert last["top"] == result.summary.groups["top"].accuracy


def test_without_pandas_the_way_out_is_named(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'parse-dfl\[pandas\]'"):
        result.curves  # noqa: B018


def test_agents_predict_as_their_files_do(result, digits, tmp_path):
    assert list(result.agents) == [agent.name for agent in result.summary.agents]
    agent = result.agents["bottom+top-1"]
    assert agent is result.agents["bottom+top-1"]
    inputs = {"top": digits["top"][:20], "bottom": digits["bottom"][:20]}
    result.save(tmp_path / "run")
    filed = load_agent(tmp_path / "run/agents/bottom+top-1.safetensors")
    assert np.array_equal(agent.predict_probability(inputs), filed.predict_probability(inputs))
    with pytest.raises(UnknownNameError, match="did you mean 'top-1' or 'top-0'"):
        result.agents["top-9"]
    assert result.agents.get("nobody") is None
    assert "top-0" in result.agents
    assert "nobody" not in result.agents


def test_agents_are_as_accurate_as_the_summary_says(result, digits):
    from parse_dfl.data.splits import split

    test = split(digits).test
    for told in result.summary.agents:
        inputs = {name: digits[name][test] for name in told.group.split("+")}
        right = result.agents[told.name].predict(inputs) == digits.label[test]
        assert right.mean() == pytest.approx(told.accuracy)


def test_saving_moves_the_records_for_good(federation, quick, tmp_path):
    result = federation.fit(**quick)
    before = result.folder
    agents = result.agents
    assert result.save(tmp_path / "run") == tmp_path / "run"
    assert result.folder == tmp_path / "run"
    assert not before.exists()
    assert agents["top-0"].spec.name == "top-0"
    again = Result.load(tmp_path / "run")
    assert again.accuracy == result.accuracy
    assert result.save(tmp_path / "run") == tmp_path / "run"
    result.save(tmp_path / "copy")
    assert result.folder == tmp_path / "run"
    assert Result.load(tmp_path / "copy").accuracy == result.accuracy
    with pytest.raises(OutputError, match="overwrite=True"):
        result.save(tmp_path / "copy")
    result.save(tmp_path / "copy", overwrite=True)


def test_a_folder_to_save_to_must_be_a_path(result):
    with pytest.raises(OutputError, match="must be a path, not None"):
        result.save(None)


def test_saving_spares_what_is_not_a_run(result, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("…")
    with pytest.raises(OutputError):
        result.save(tmp_path / "letters", overwrite=True)
    assert (tmp_path / "letters" / "dear.txt").exists()


def test_a_temporary_folder_goes_with_the_result(federation, quick):
    result = federation.fit("local", **quick)
    folder, agents = result.folder, result.agents
    del result
    gc.collect()
    assert folder.exists(), "its agents are still held"
    del agents
    gc.collect()
    assert not folder.exists()


def test_the_command_line_reports_what_was_saved(result, tmp_path, capsys):
    result.save(tmp_path / "run")
    main(["report", str(tmp_path / "run")])
    assert (tmp_path / "run/report.html").exists()


def test_what_is_unfinished_is_no_result(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(RecordError, match="no finished run"):
        Result.load(tmp_path)
    with pytest.raises(RecordError, match=r"there is no folder '.*nope' to read a run from"):
        Result.load(tmp_path / "nope")
