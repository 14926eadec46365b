"""The names of the methods, in a file that costs nothing to import."""

from __future__ import annotations

from parse_dfl.errors import unknown

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
