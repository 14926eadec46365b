"""Reorder the axes of samples from the order in which they come to the package's order.

Inside, channels are last: series are (time, channels), images (height, width, channels), videos
(time, height, width, channels).  Axes are named by letters: ``t``, ``h``, ``w``, ``c``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parse_dfl.agents import Kind

LAYOUTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.VECTOR: (),
    Kind.SERIES: ("tc", "ct"),
    Kind.IMAGE: ("hw", "hwc", "chw"),
    Kind.VIDEO: ("thw", "thwc", "tchw", "cthw"),
}
"""The layouts that samples of a kind may come in."""

_INSIDE = "thwc"


@dataclass(frozen=True)
class Layout:
    """How a sample of shape ``given`` becomes one of ``shape``: its axes in ``order``, then cut
    into the new shape."""

    given: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def by_letters(cls, given: tuple[int, ...], letters: str) -> Layout:
        """Return the layout of samples whose axes are ``letters``, such as ``chw``."""
        order = tuple(letters.index(axis) for axis in _INSIDE if axis in letters)
        return cls(given, order, tuple(given[axis] for axis in order))

    @classmethod
    def as_it_is(cls, given: tuple[int, ...], shape: tuple[int, ...]) -> Layout:
        """Return the layout that keeps the order of the axes and cuts them into ``shape``."""
        return cls(given, tuple(range(len(given))), shape)

    @classmethod
    def onto(cls, kind: Kind, given: tuple[int, ...], shape: tuple[int, ...]) -> Layout | None:
        """Return the only layout by which samples of ``given`` axes become ``shape``; else None."""
        layouts = {
            layout.order: layout
            for letters in LAYOUTS[kind]
            if len(letters) == len(given)
            and (layout := cls.by_letters(given, letters)).shape == shape
        }
        return next(iter(layouts.values())) if len(layouts) == 1 else None

    @property
    def is_as_given(self) -> bool:
        """Whether nothing is changed."""
        return self.given == self.shape and self.order == tuple(range(len(self.given)))

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return ``values`` of shape (samples, *given) as (samples, *shape)."""
        if self.is_as_given:
            return values
        turned = values.transpose(0, *(axis + 1 for axis in self.order))
        return np.ascontiguousarray(turned).reshape(len(values), *self.shape)

    def check(self) -> Layout:
        """Return this layout, if it is valid.

        Raises:
            ValueError: the order or the shape is not one of ``given``.
        """
        if sorted(self.order) != list(range(len(self.given))):
            raise ValueError(f"order {self.order} of axes {self.given}")
        if prod(self.given) != prod(self.shape):
            raise ValueError(f"shape {self.shape} of {self.given}")
        return self
