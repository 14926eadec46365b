"""From a method's name and options to the method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from parse_dfl.errors import ConfigError, nearest
from parse_dfl.methods.base import RULES, Method
from parse_dfl.methods.dsgd import dsgd, gradient_surgery
from parse_dfl.methods.harmony import harmony
from parse_dfl.methods.names import split_method
from parse_dfl.methods.options import (
    AdaptiveOptions,
    FaithfulOptions,
    HarmonyOptions,
    Options,
    ParseOptions,
    SheafOptions,
)
from parse_dfl.methods.parse import oracle, parse_adaptive, parse_method
from parse_dfl.methods.parse_faithful import parse_faithful
from parse_dfl.methods.sheaf import sheaf_dmfl

_BUILDERS: Mapping[str, tuple[type[Any], Callable[[Any], Method]]] = {
    "parse": (ParseOptions, parse_method),
    "parse-adaptive": (AdaptiveOptions, parse_adaptive),
    "parse-faithful": (FaithfulOptions, parse_faithful),
    "local": (Options, lambda _: dsgd("local")),
    "dsgd-task": (Options, lambda _: dsgd("dsgd-task")),
    "dsgd-modality": (Options, lambda _: dsgd("dsgd-modality")),
    "dsgd-hybrid": (Options, lambda _: dsgd("dsgd-hybrid")),
    "harmony": (HarmonyOptions, harmony),
    "gradient-surgery": (Options, lambda _: gradient_surgery()),
    "sheaf-dmfl": (SheafOptions, sheaf_dmfl),
    "oracle": (ParseOptions, oracle),
}


def build_method(name: str, options: Mapping[str, object] | None = None) -> Method:
    """Return the method called ``name``, or ``parse@RULE``: PARSE's network under RULE's sharing.

    Raises:
        ConfigError: the method, its rule or an option is unknown, or an option's value is no
            number.
    """
    base, rule = split_method(name)
    kind, build = _BUILDERS[base]
    chosen = _options(name, kind, options or {})
    if rule:
        return parse_method(chosen, name=name, sharing=RULES[rule])
    return build(chosen)


def _options(method: str, kind: type[Any], values: Mapping[str, object]) -> Any:
    known = {field.name: field for field in fields(kind)}
    chosen: dict[str, float | int] = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(
                f"method {method!r} has no option {name!r}"
                + (nearest(name, known) if known else "; it has none")
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"option {name} of {method} must be a number, not {value!r}")
        integral = isinstance(known[name].default, int)
        if integral and not float(value).is_integer():
            raise ConfigError(f"option {name} of {method} must be a whole number, not {value!r}")
        chosen[name] = int(value) if integral else float(value)
    return kind(**chosen)
