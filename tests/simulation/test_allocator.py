"""The allocator is asked once, and never against what a person asked for."""

from __future__ import annotations

import ctypes

import pytest

from parse_dfl.simulation import allocator
from parse_dfl.simulation.allocator import keep_freed_memory


class Library:
    """A C library that notes what it is told."""

    def __init__(self, answer=1):
        self.told = {}
        self.answer = answer

    def mallopt(self, option, value):
        self.told[option] = value
        return self.answer


@pytest.fixture(autouse=True)
def _ask_anew(monkeypatch):
    for name in allocator.ASKED_OTHERWISE:
        monkeypatch.delenv(name, raising=False)
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


def test_both_thresholds_are_told_once(monkeypatch):
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert keep_freed_memory()
    assert library.told == {-1: 256 << 20, -3: 32 << 20}
    library.told.clear()
    assert keep_freed_memory()
    assert not library.told


@pytest.mark.parametrize("name", allocator.ASKED_OTHERWISE)
def test_what_the_environment_says_stands(monkeypatch, name):
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory()
    assert not library.told


@pytest.mark.parametrize("library", [object(), Library(answer=0)])
def test_other_c_libraries_are_left_alone(monkeypatch, library):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert not keep_freed_memory()


def test_systems_without_such_a_library_are_left_alone(monkeypatch):
    def refuse(name):
        raise TypeError("bad argument type for built-in operation")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert not keep_freed_memory()
