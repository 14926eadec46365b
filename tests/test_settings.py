"""Declared settings: what a class of them reads, refuses, and shows."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from parse_dfl.config import TopologyRule
from parse_dfl.config.topology import Regular, Ring
from parse_dfl.errors import ConfigError
from parse_dfl.settings import Settings, setting, settings_of, to_plain
from parse_dfl.text_form import number_text


class Inner(Settings):
    width: int = setting(3, "--width N", "how wide", at_least=1, at_most=2**40)
    rule: TopologyRule = setting(Ring())


class Outer(Settings):
    group: ClassVar[str] = "all"
    keyword: ClassVar[str] = "a test"
    share: float = setting(0.5, at_least=0, below=1)
    names: tuple[str, ...] = setting((), choices=("a", "bb"), noun="letter")
    table: Mapping[str, float | str] = setting({})
    pair: tuple[int, int] | str = setting((1, 2))
    limit: int | None = setting(None, above=0)
    inner: Inner = setting(Inner)


def test_defaults_are_made_anew_and_are_valid():
    outer, other = Outer(), Outer()
    assert outer == other
    assert outer.table is not other.table
    given = {path: entry.default for path, entry in settings_of(Inner).items()}
    assert Inner(**given) == Inner()


def test_values_are_read_and_stand():
    outer = Outer(share=np.float32(0.25), names="a", pair=[3, 4.0], inner={"rule": "regular:3"})
    assert (outer.share, outer.names, outer.pair) == (0.25, ("a",), (3, 4))
    assert outer.inner.rule == Regular(3)
    with pytest.raises(FrozenInstanceError):
        outer.share = 0.1
    with pytest.raises(FrozenInstanceError):
        del outer.share
    assert replace(outer, limit=3).limit == 3
    assert copy.deepcopy(outer) == pickle.loads(pickle.dumps(outer)) == outer
    assert hash(Inner()) == hash(Inner(width=3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"share": 1}, "share of a test must be at least 0 and below 1, not 1"),
        ({"share": "x"}, "share of a test must be a finite number, not 'x'"),
        ({"names": ["b"]}, "unknown letter 'b'; did you mean 'bb'"),
        ({"limit": 0}, "limit of a test must be above 0, not 0"),
        ({"limit": 2.5}, "must be a whole number, not 2.5"),
        ({"pair": (1, 2, 3)}, "must be a list of 2, each a whole number or text"),
        ({"table": {"a": [1]}}, r"table of a test.a must be a finite number or text, not \[1\]"),
        ({"shaer": 1}, "a test has no setting 'shaer'; did you mean 'share'"),
        ({"inner": {"widht": 1}}, r"unknown setting 'widht' in \[inner of a test\]"),
        ({"inner": 3}, "must be a table of names and values, not 3"),
        ({"inner": {"width": 0}}, "width must be at least 1, not 0"),
        ({"inner": {"width": 2**41}}, f"at least 1 and at most {2**40}, not {2**41}"),
        ({"inner": {"rule": 3}}, r"rule must be an object such as Regular\(degree=4\) or its text"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values, message):
    with pytest.raises(ConfigError, match=message):
        Outer(**values)


def test_positions_are_for_those_that_allow_them():
    with pytest.raises(TypeError, match="takes 0 positional"):
        Outer(0.5)
    assert Regular(3).degree == 3


def test_it_shows_what_differs_and_how_it_is_called():
    assert repr(Outer(share=0.1)) == "Outer(share=0.1)"
    assert list(inspect.signature(Outer).parameters) == [
        "share", "names", "table", "pair", "limit", "inner",
    ]  # fmt: skip
    assert inspect.signature(Regular).parameters["degree"].default == 4


def test_paths_headings_and_plain_values():
    found = settings_of(Outer)
    assert list(found)[-2:] == ["inner.width", "inner.rule"]
    assert found["inner.width"].name == "width"
    assert found["inner.width"].declaration.flag == "--width"
    assert found["inner.width"].declaration.metavar == "N"
    assert found["share"].declaration.group == "all"
    assert to_plain(Outer())["inner"] == {"width": 3, "rule": "ring"}


def test_numbers_read_back():
    assert [number_text(value) for value in (1.0, 0.3, 0.1 + 0.2)] == [
        "1", "0.3", "0.30000000000000004",
    ]  # fmt: skip


def test_paths_are_text():
    from parse_dfl.config import DataConfig

    assert DataConfig(data=Path("x.npz")).data == "x.npz"
