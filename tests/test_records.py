"""Records: what is written is what is read, and what is wrong is named with its path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parse_dfl.errors import RecordError
from parse_dfl.io import decode, json_text, load_json, read_lines, read_record, to_plain
from parse_dfl.records import (
    ComparisonRecord,
    ConflictLine,
    Divergence,
    GroupResult,
    LinkBytes,
    MethodRecord,
    MetricsLine,
    Roles,
    SeedValues,
)

LINE = MetricsLine(
    round=10,
    group="acc",
    seed=0,
    accuracy=0.5,
    macro_f1=0.4,
    local_accuracy=0.6,
    loss=1.5,
)
VALUES = SeedValues(mean=0.5, ci95=None, values=(0.5,))


def comparison(**methods):
    record = MethodRecord(
        groups={},
        mean_accuracy=VALUES,
        payload_bytes_per_link=LinkBytes(mean=1.0, max=1),
        seconds=2.0,
        lr=0.01,
    )
    plain = to_plain(
        ComparisonRecord(data="digits", config={}, seeds=(0,), methods={"parse": record})
    )
    return json.loads(json.dumps(plain)) | methods


def test_fields_that_hold_nothing_worth_telling_are_left_out():
    assert "diverged" not in to_plain(LINE)
    lost = MetricsLine(**{**vars(LINE), "diverged": 2})
    assert to_plain(lost)["diverged"] == 2
    assert to_plain(GroupResult(agents=1, parameters=2, accuracy=0.1, macro_f1=0.1,
                                local_accuracy=0.1, loss=None))["loss"] is None  # fmt: skip


def test_keys_stand_in_the_order_of_the_fields():
    assert list(to_plain(LINE)) == [
        "round", "group", "seed", "accuracy", "macro_f1", "local_accuracy", "loss"
    ]  # fmt: skip


@given(
    st.builds(
        MetricsLine,
        loss=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        **dict.fromkeys(
            ("accuracy", "macro_f1", "local_accuracy"), st.floats(0, 1, allow_nan=False)
        ),
        diverged=st.integers(0, 9),
    )
)
def test_what_is_written_is_what_is_read(line):
    assert decode(json.loads(json_text(to_plain(line))), MetricsLine, "x") == line


def test_a_loss_that_is_not_finite_is_written_as_null_and_read_as_none():
    lost = MetricsLine(**{**vars(LINE), "loss": float("nan")})
    text = json_text(to_plain(lost))
    assert '"loss": null' in text
    assert decode(json.loads(text), MetricsLine, "x").loss is None


def test_a_wrong_value_is_named_with_its_path_its_type_and_what_stands_there():
    content = comparison()
    content["methods"]["harmony"] = json.loads(json.dumps(content["methods"]["parse"]))
    content["methods"]["harmony"]["mean_accuracy"]["values"] = [0.5, "high"]
    with pytest.raises(RecordError) as raised:
        decode(content, ComparisonRecord, "runs/x/comparison.json")
    assert str(raised.value) == (
        "runs/x/comparison.json: $.methods.harmony.mean_accuracy.values[1] is 'high'; "
        "expected `float`, got `str`"
    )


def test_a_missing_value_is_named_with_its_path():
    content = comparison()
    del content["methods"]["parse"]["lr"]
    with pytest.raises(RecordError, match=r"x lacks \$\.methods\.parse\.lr: .*run it again"):
        decode(content, ComparisonRecord, "x")


def test_a_record_of_a_former_format_is_one_line():
    """Payload was a number once, and seeds were not written down."""
    with pytest.raises(RecordError) as raised:
        decode({"data": "digits", "config": {}, "methods": {}}, ComparisonRecord, "x")
    assert str(raised.value) == (
        "x lacks $.seeds: it was cut short, or another version wrote it; run it again"
    )


def test_values_of_no_seed_are_refused():
    content = comparison()
    content["methods"]["parse"]["mean_accuracy"]["values"] = []
    with pytest.raises(RecordError, match=r"mean_accuracy is \{.*; expected at least one value"):
        decode(content, ComparisonRecord, "x")


@pytest.mark.parametrize("value", [[], "text", None, 3])
def test_another_kind_of_value_than_an_object_is_refused(value):
    with pytest.raises(RecordError, match=r"\$ is .*; expected `object`, got"):
        decode(value, MetricsLine, "x")


def test_keys_that_are_not_known_are_passed_over():
    assert decode(to_plain(LINE) | {"warmth": 3}, MetricsLine, "x") == LINE


def test_a_file_names_itself_where_it_is_damaged(tmp_path):
    path = tmp_path / "comparison.json"
    with pytest.raises(RecordError, match=r"cannot read .*comparison\.json"):
        read_record(path, ComparisonRecord)
    path.write_text("{")
    with pytest.raises(RecordError, match=r"comparison\.json is no valid JSON"):
        read_record(path, ComparisonRecord)
    path.write_text("[]")
    with pytest.raises(RecordError, match=r"comparison\.json holds list, not a JSON object"):
        load_json(path)


def test_the_last_line_of_a_run_that_is_still_writing_may_be_cut_short(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert read_lines(path, MetricsLine, finished=False) == ()
    path.write_text(json.dumps(to_plain(LINE)) + '\n{"round": 2')
    assert read_lines(path, MetricsLine, finished=False) == (LINE,)
    with pytest.raises(RecordError, match=r"metrics\.jsonl, line 2 is no valid JSON"):
        read_lines(path, MetricsLine, finished=True)


def test_a_line_is_named_by_its_number(tmp_path):
    path = tmp_path / "conflict.jsonl"
    path.write_text('{"round": true}\n')
    with pytest.raises(RecordError, match=r"line 1: \$\.round is True; expected `int`, got `bool`"):
        read_lines(path, ConflictLine, finished=True)


def test_a_divergence_names_the_first_agents():
    one = Divergence(round=4, agents=("a-0",))
    many = Divergence(round=10, agents=tuple(f"a-{index}" for index in range(15)))
    assert one.sentence == "1 agent has diverged since round 4 (a-0)"
    assert many.sentence == "15 agents have diverged since round 10 (a-0, a-1, a-2, …)"


def test_controls_and_variants_are_no_rivals_and_the_bound_does_not_compete():
    roles = Roles(subject="mine", lower="low", upper="high")
    names = ["mine", "mine@rule", "mine-wide", "high", "low", "other"]
    assert [name for name in names if roles.is_rival(name)] == ["low", "other"]
    assert [name for name in names if roles.competes(name)] == ["mine", "low", "other"]
    assert not roles.is_ranked("high")


def test_without_a_method_in_question_all_compete():
    assert all(Roles().competes(name) for name in ("parse", "oracle", "mine"))
