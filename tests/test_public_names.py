"""The names that ``parse_dfl`` promises are there, and no others."""

from __future__ import annotations

import pytest

import parse_dfl


@pytest.mark.parametrize("name", parse_dfl.__all__)
def test_every_public_name_can_be_loaded(name):
    assert getattr(parse_dfl, name) is not None


def test_what_is_promised_is_listed_in_order():
    assert parse_dfl.__all__ == sorted({*parse_dfl._HOMES, "__version__"})
    assert dir(parse_dfl) == parse_dfl.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'traim'"):
        parse_dfl.traim  # noqa: B018
