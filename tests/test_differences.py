from __future__ import annotations

from parse_dfl.differences import differences

BEFORE = {"seed": 0, "events": (), "data": {"kind": {"a": "image"}, "data_dir": "x"}}


def test_equal_settings_do_not_differ():
    assert differences(BEFORE, {**BEFORE, "events": []}) == []


def test_each_setting_is_named_with_both_values():
    now = {"seed": 1, "events": ["3:a:+b"], "data": {"kind": {}, "data_dir": "y"}}
    assert differences(BEFORE, now, free=["data.data_dir"]) == [
        "data.kind.a is image there, not set here",
        "events is none there, 3:a:+b here",
        "seed is 0 there, 1 here",
    ]
