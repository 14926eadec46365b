"""Give objects a text form, for command lines and files: ``Regular(degree=4)`` is ``regular:4``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from parse_dfl.errors import ConfigError


def number_text(value: float) -> str:
    """Return the shortest text that reads back as ``value``: ``1``, ``0.3``."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


class TextForm(ABC):
    """A value with a text form: ``str()`` writes it, :meth:`from_string` reads it."""

    example: ClassVar[str] = ""
    """An expression that makes one, for messages."""

    @classmethod
    @abstractmethod
    def from_string(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            ConfigError: the text cannot be read; the message shows one that can.
        """

    @abstractmethod
    def __str__(self) -> str: ...

    @classmethod
    def from_object(cls, value: object) -> Self | None:  # noqa: ARG003
        """Return what another object stands for, such as a mapping; None: nothing."""
        return None

    @classmethod
    def of(cls, value: object, name: str = "") -> Self:
        """Return ``value`` itself, or what its text stands for; ``name`` is the setting's.

        Raises:
            ConfigError: it is neither such an object nor its text.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.from_string(value)
        made = cls.from_object(value)
        if made is None:
            raise ConfigError(
                f"{name or cls.__name__} must be an object such as {cls.example} or its text, "
                f"not {value!r}"
            )
        return made
