"""From what a user hands over to the configuration that the command line would make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from parse_dfl.api.text import plain, robust_text
from parse_dfl.errors import ConfigError, nearest
from parse_dfl.methods.specs import MethodSpec, spec_of
from parse_dfl.runs.config import PLACES, RunConfig, validate, with_values

if TYPE_CHECKING:
    from parse_dfl.methods.base import Method

_OF_FEDERATION = {"agents", "events", "overlay.attackers", "network.encoders"}
_OF_METHOD = {"method", "method_options", "seed", "training.rounds"}


def _is_of_federation(place: str) -> bool:
    section = place.partition(".")[0]
    is_overlay = section == "overlay" and place != "overlay.robust"
    return section == "data" or is_overlay or place in _OF_FEDERATION


_FEDERATION = {place.rpartition(".")[2] for place in PLACES if _is_of_federation(place)}
FIT_SETTINGS: Mapping[str, str] = {
    place.rpartition(".")[2]: place
    for place in PLACES
    if not _is_of_federation(place) and place not in _OF_METHOD
}
"""Every setting of ``fit`` and ``compare`` by its name → its place in the configuration."""


def with_settings(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """Return ``config`` with settings of local training, network and machine by their names.

    Raises:
        ConfigError: a setting is unknown (the nearest are offered), belongs to the federation, or
            has a value of the wrong type or out of its range.
    """
    for name in settings:
        if name in _FEDERATION:
            raise ConfigError(f"{name!r} belongs to the federation; give it to Federation(...)")
        if name not in FIT_SETTINGS:
            known = {*FIT_SETTINGS, "rounds", "seed"}
            raise ConfigError(f"unknown setting {name!r}{nearest(name, known)}")
    values = {FIT_SETTINGS[name]: plain(value) for name, value in settings.items()}
    if "overlay.robust" in values:
        values["overlay.robust"] = robust_text(settings["robust"])
    if isinstance(values.get("record"), str):
        values["record"] = (values["record"],)
    return checked(config, values)


def checked(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return ``config`` with ``values`` by place, all of it checked.

    Raises:
        ConfigError: a value has the wrong type or is out of its range.
    """
    changed = with_values(config, values)
    validate(changed)
    return changed


def spec_or_method(method: str | MethodSpec | Method) -> MethodSpec | Method:
    """Return a method of this package as a spec, one of the user's own as it is.

    Raises:
        ConfigError: it is neither, or a name that is unknown.
    """
    if isinstance(method, str):
        return spec_of(method)
    if isinstance(method, MethodSpec):
        return method
    from parse_dfl.methods.base import Method

    if isinstance(method, Method):
        return method
    hint = f"{method.__name__}(...)" if isinstance(method, type) else "Parse() or 'parse'"
    raise ConfigError(f"{method!r} is no method; give an object such as {hint}")


def for_one(config: RunConfig, method: MethodSpec | Method) -> RunConfig:
    """Return the configuration of one method: its name, options and learning rate."""
    if not isinstance(method, MethodSpec):
        return config
    config = checked(config, {"method": method.name, "method_options": method.options()})
    if method.lr is None:
        return config
    return replace(config, training=replace(config.training, lr=float(method.lr)))


def for_many(config: RunConfig, methods: Sequence[MethodSpec | Method]) -> RunConfig:
    """Return the configuration of a comparison: each method's options stand under its name.

    Raises:
        ConfigError: there is no method, or two have one name.
    """
    names = [method.name for method in methods]
    if not names:
        raise ConfigError("there is no method to compare; give some, as [Parse(), DSGD('hybrid')]")
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two methods are called {name!r}, and their results would be mixed up; compare "
                "their options in two comparisons"
            )
    options: dict[str, float | str | bool] = {}
    for method in methods:
        if isinstance(method, MethodSpec):
            options |= {f"{method.name}.{key}": value for key, value in method.options().items()}
            options |= {} if method.lr is None else {f"{method.name}.lr": float(method.lr)}
    return replace(config, method_options=options)


def whole_numbers(name: str, values: object, least: int) -> list[int]:
    """Return ``values`` as a list of different whole numbers.

    Raises:
        ConfigError: one is none, is too small or stands twice, or there is none at all.
    """
    if not isinstance(values, Iterable):
        raise ConfigError(f"{name} must be a list, such as range(3), not {values!r}")
    numbers = [plain(value) for value in values]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ConfigError(f"{name} must be whole numbers from {least} up, not {number!r}")
        if numbers.count(number) > 1:
            raise ConfigError(f"{name} name {number} twice; each may stand once")
    if not numbers:
        raise ConfigError(f"{name} are empty; give at least one, as range(3)")
    return numbers


def encoder_names(
    encoders: Mapping[str, str | Callable[..., Any]],
) -> tuple[dict[str, str], dict[str, Callable[..., Any]]]:
    """Return the encoder's name by place, and the user's own builders by their names.

    Raises:
        ConfigError: a value is neither a name nor a builder, or two builders have one name.
    """
    names: dict[str, str] = {}
    builders: dict[str, Callable[..., Any]] = {}
    for place, encoder in encoders.items():
        if isinstance(encoder, str):
            names[place] = encoder
            continue
        if not callable(encoder):
            raise ConfigError(
                f"the encoder of {place!r} must be a name or a function that builds a module, "
                f"not {encoder!r}"
            )
        name = getattr(encoder, "__name__", type(encoder).__name__)
        if builders.setdefault(name, encoder) is not encoder:
            raise ConfigError(f"two encoders are called {name!r}; give one of them another name")
        names[place] = name
    return names, builders
