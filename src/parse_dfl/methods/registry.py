"""Build a method with its networks, from its object in the configuration or its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from parse_dfl.config import methods as specs
from parse_dfl.config.methods import SHARING_RULES, MethodSpec, method_spec
from parse_dfl.errors import ConfigError
from parse_dfl.methods.base import RULES, Method
from parse_dfl.methods.dsgd import dsgd, gradient_surgery
from parse_dfl.methods.harmony import harmony
from parse_dfl.methods.parse import oracle, parse_adaptive, parse_method
from parse_dfl.methods.parse_faithful import parse_faithful
from parse_dfl.methods.sheaf import sheaf_dmfl


def _parse(spec: specs.Parse) -> Method:
    """Return PARSE, or its network under another sharing rule: the control."""
    if spec.sharing is None:
        return parse_method(spec)
    return parse_method(spec, name=spec.name, sharing=RULES[SHARING_RULES[spec.sharing]])


_BUILDERS: Mapping[type[MethodSpec], Callable[[Any], Method]] = {
    specs.Parse: _parse,
    specs.ParseAdaptive: parse_adaptive,
    specs.ParseFaithful: parse_faithful,
    specs.Local: lambda spec: dsgd(spec.name),
    specs.DSGD: lambda spec: dsgd(spec.name),
    specs.Harmony: harmony,
    specs.GradientSurgery: lambda _: gradient_surgery(),
    specs.SheafDMFL: sheaf_dmfl,
    specs.Oracle: oracle,
}


def build_method(method: str | MethodSpec, options: Mapping[str, object] | None = None) -> Method:
    """Return the method of an object, or of a name such as ``parse@dsgd-task`` and its options.

    Raises:
        ConfigError: the method, its rule or an option is unknown, or a value cannot be used.
    """
    spec = method if isinstance(method, MethodSpec) else method_spec(method, options)
    if isinstance(spec, specs.OwnMethod):
        raise ConfigError(
            f"method {spec.name!r} was handed over by a program; give it again there, as "
            "federation.fit(method)"
        )
    name = spec.name if isinstance(method, MethodSpec) else method
    return replace(_BUILDERS[type(spec)](spec), name=name)
