from __future__ import annotations

import numpy as np
import pytest

from parse_dfl.agents import Kind
from parse_dfl.layouts import LAYOUTS, Layout

SIZES = {"t": 5, "h": 4, "w": 3, "c": 2}
INSIDE = "thwc"


@pytest.mark.parametrize("letters", [each for layouts in LAYOUTS.values() for each in layouts])
def test_axes_are_put_in_the_order_of_time_height_width_channels(letters):
    given = tuple(SIZES[each] for each in letters)
    layout = Layout.by_letters(given, letters).check()
    values = np.arange(2 * np.prod(given)).reshape(2, *given)
    inside = "".join(each for each in INSIDE if each in letters)
    expected = np.einsum(f"n{letters}->n{inside}", values)
    np.testing.assert_array_equal(layout.apply(values), expected)
    assert layout.is_as_given == (letters == inside)


def test_a_sample_is_cut_into_another_shape():
    layout = Layout.as_it_is((4, 3, 2), (4, 6)).check()
    assert layout.apply(np.zeros((5, 4, 3, 2))).shape == (5, 4, 6)


@pytest.mark.parametrize(
    ("layout", "message"),
    [(Layout((3, 4), (0, 0), (3, 4)), "order"), (Layout((3, 4), (0, 1), (5,)), "shape")],
)
def test_what_is_no_layout(layout, message):
    with pytest.raises(ValueError, match=message):
        layout.check()


@pytest.mark.parametrize(
    ("kind", "given", "shape", "expected"),
    [
        (Kind.IMAGE, (3, 28, 28), (28, 28, 3), (1, 2, 0)),
        (Kind.IMAGE, (28, 28, 3), (28, 28, 3), (0, 1, 2)),
        (Kind.SERIES, (6, 100), (100, 6), (1, 0)),
        (Kind.IMAGE, (28, 3, 28), (28, 28, 3), None),
        (Kind.VIDEO, (3, 3, 28, 28), (3, 28, 28, 3), None),  # tchw or cthw
        (Kind.IMAGE, (28, 28), (28, 28, 3), None),
    ],
)
def test_a_shape_tells_the_layout_where_only_one_leads_to_it(kind, given, shape, expected):
    layout = Layout.onto(kind, given, shape)
    assert (layout and layout.order) == expected
