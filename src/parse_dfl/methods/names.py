"""The methods by name and the ranges of their options, in a file that costs nothing to import."""

from __future__ import annotations

from math import inf, isfinite

from parse_dfl.errors import ConfigError, unknown


def check_option(
    name: str,
    value: object,
    *,
    least: float = -inf,
    most: float = inf,
    above: float = -inf,
    below: float = inf,
    whole: bool = False,
) -> None:
    """Refuse a value that is no finite number, or out of its range.

    Raises:
        ConfigError: it is; the message names the range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"option {name} must be a number, not {value!r}")
    if whole and isfinite(value) and not float(value).is_integer():
        raise ConfigError(f"option {name} must be a whole number, not {value!r}")
    if isfinite(value) and least <= value <= most and above < value < below:
        return
    limits = {"at least": least, "at most": most, "above": above, "below": below}
    told = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if isfinite(limit))
    raise ConfigError(f"option {name} must be {told}, not {value:g}")


METHODS = {
    "parse": "PARSE: fission into slices, each averaged among the agents that own it",
    "parse-adaptive": "PARSE that holds samples out to the end, to weigh its slices",
    "parse-faithful": "PARSE whose slices pay for what they hold, so that they hold what they say",
    "local": "nothing is exchanged: the lower bound",
    "dsgd-task": "the whole model, averaged among agents of one modality set",
    "dsgd-modality": "each encoder, averaged among the owners of its modality; heads stay local",
    "dsgd-hybrid": "encoders averaged by modality, fusion and head by modality set",
    "harmony": "two stages: a network per modality, then fusion heads among similar neighbours",
    "gradient-surgery": "dsgd-hybrid whose conflicting updates are projected off (PCGrad)",
    "sheaf-dmfl": "encoders averaged by modality, heads coupled by a learned sheaf",
    "oracle": "PARSE's network trained centrally on all samples: the upper bound",
}
"""Name → what it does, in one line."""

RULES = {
    "local": "local",
    "task": "task",
    "modality": "modality",
    "hybrid": "hybrid",
    "dsgd-task": "task",
    "dsgd-modality": "modality",
    "dsgd-hybrid": "hybrid",
}
"""What may follow ``parse@`` → the sharing rule that PARSE's network is then trained under."""


WITH_SLICES = ("parse", "parse-adaptive", "parse-faithful", "parse@RULE", "oracle")
"""The methods whose networks have redundant, unique and synergistic slices."""


def check_method(name: str) -> None:
    """Refuse a method that does not exist.

    Raises:
        ConfigError: ``name`` is neither a method nor ``parse@RULE``.
    """
    split_method(name)


def split_method(name: str) -> tuple[str, str | None]:
    """The method and the sharing rule put in its place: ``parse@dsgd-task`` → parse, task.

    Raises:
        ConfigError: ``name`` is neither a method nor ``parse@RULE``.
    """
    method, at, rule = name.partition("@")
    if at and method == "parse":
        if rule not in RULES:
            raise unknown("sharing rule", rule, RULES)
        return method, RULES[rule]
    if name not in METHODS:
        raise unknown("method", name, [*METHODS, *(f"parse@{rule}" for rule in RULES)])
    return name, None
