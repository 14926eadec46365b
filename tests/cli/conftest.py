from __future__ import annotations

import sys
from types import ModuleType

import pytest


@pytest.fixture
def stand_in(monkeypatch):
    """Put a module with the given names in the place of a real one."""

    def put(name, **contents):
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)

    return put
