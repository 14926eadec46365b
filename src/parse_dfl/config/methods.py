"""Declare methods as objects: a name with its options, checked when built, without torch.

    MethodSpec
    ├── Parse, ParseAdaptive, ParseFaithful    PARSE and what was made of it
    ├── Local, DSGD, Harmony, GradientSurgery, SheafDMFL
    ├── Oracle                                 the upper bound
    └── OwnMethod                              one that a program hands over

A spec says what to train; :func:`parse_dfl.methods.registry.build_method` makes it a
:class:`~parse_dfl.methods.base.Method`, with torch.  A method's own file says in its formulas what
its options weigh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

from parse_dfl.errors import ConfigError, nearest, unknown
from parse_dfl.settings import Settings, setting
from parse_dfl.text import LARGEST_REAL, real
from parse_dfl.text_form import TextForm, number_text

SHARING_RULES: Mapping[str, str] = {
    "local": "local",
    "task": "task",
    "modality": "modality",
    "hybrid": "hybrid",
    "dsgd-task": "task",
    "dsgd-modality": "modality",
    "dsgd-hybrid": "hybrid",
}
"""What may follow ``parse@`` → the sharing rule that PARSE's network is then trained under."""


class MethodSpec(TextForm, Settings):
    """A method by its name, with its options and a learning rate (None: the method's own).

    The text form is the name, then what differs from the defaults: ``parse``,
    ``harmony(tau=0.1,lr=0.003)``.
    """

    example: ClassVar[str] = "Parse()"
    helps: ClassVar[Mapping[str, str]] = {}
    """Each name of the method → what it does, in one line."""
    has_slices: ClassVar[bool] = False
    """Whether its networks have redundant, unique and synergistic slices."""
    lr: float | None = setting(None, above=0, at_most=LARGEST_REAL)

    @property
    def name(self) -> str:
        """The method's name, as the command line has it."""
        return self.keyword

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            ConfigError: there is no such method or option (the nearest are offered), or a value
                cannot be used.
        """
        made = method_spec(text)
        assert isinstance(made, cls)
        return made

    def options(self) -> dict[str, float]:
        """Return the options that differ from their defaults, by name."""
        return {
            field.name: value
            for field in option_fields(type(self))
            if (value := getattr(self, field.name)) != field.default
        }

    def __str__(self) -> str:
        values: dict[str, Any] = self.options() | ({} if self.lr is None else {"lr": self.lr})
        settings = ",".join(f"{name}={number_text(value)}" for name, value in values.items())
        return f"{self.name}({settings})" if settings else self.name


def option_fields(kind: type[MethodSpec]) -> list[Any]:
    """Return the fields that are options: not part of the name, nor of local training."""
    return [
        field for field in fields(kind) if field.name not in ("lr", "sharing", "scope", "given")
    ]


def _check_hold_out(value: int) -> None:
    if value == 1:
        raise ConfigError("hold_out must be 0 or at least 2, not 1: it holds every sample out")


class ParseOptions(MethodSpec):
    """Weights of PARSE's loss: CE(ℓ) + modality · Σ_m CE(r_m + u_m) + head · Σ_slices CE
    + contrastive · Σ_ab supcon(r_a, r_b).

    All but the first term exist only where an agent owns several modalities, except the heads'.
    Every ``hold_out``-th sample of such an agent is kept from the slices for the first
    ``gate_share`` of the rounds, and the slices' weights are learned from these; then the weights
    stand, and the slices learn from all samples.  0: no weights, the plain sum.
    """

    has_slices: ClassVar[bool] = True
    modality_weight: float = setting(1.0, at_least=0)
    head_weight: float = setting(0.0, at_least=0)
    contrastive_weight: float = setting(0.15, at_least=0)
    temperature: float = setting(0.2, above=0)
    hold_out: int = setting(4, at_least=0, check=_check_hold_out)
    gate_share: float = setting(0.5, above=0, at_most=1)


def _check_sharing(rule: str) -> None:
    if rule not in SHARING_RULES:
        raise unknown("sharing rule", rule, SHARING_RULES)


class Parse(ParseOptions):
    """PARSE: fission into slices, each averaged among the agents that own it.

    ``sharing`` puts another sharing rule in the place of partial alignment, as the control
    ``Parse(sharing="dsgd-hybrid")``, which the tables call ``parse@dsgd-hybrid``.
    """

    keyword: ClassVar[str] = "parse"
    helps: ClassVar[Mapping[str, str]] = {
        "parse": "PARSE: fission into slices, each averaged among the agents that own it"
    }
    sharing: str | None = setting(None, check=_check_sharing)

    @property
    def name(self) -> str:
        """``parse``, or ``parse@RULE`` under another sharing rule."""
        return self.keyword if self.sharing is None else f"{self.keyword}@{self.sharing}"


class ParseAdaptive(ParseOptions):
    """PARSE that weighs each slice per sample, with gates that learn in all rounds."""

    keyword: ClassVar[str] = "parse-adaptive"
    helps: ClassVar[Mapping[str, str]] = {
        "parse-adaptive": "PARSE that holds samples out to the end, to weigh its slices"
    }
    hold_out: int = setting(4, at_least=2)
    gate_share: float = setting(1.0, above=0, at_most=1)


PRICES = ("agreement", "unique_price", "synergy_price", "independence", "synergy_independence")


class ParseFaithful(MethodSpec):
    """PARSE whose slices pay for what they hold, so that they hold what they say.

    ``agreement`` β_r, ``unique_price`` β_u, ``synergy_price`` β_s, ``independence`` κ,
    ``synergy_independence`` κ_s; ``price`` multiplies all five; in the first stage β_r is ``early``
    times as high.
    """

    keyword: ClassVar[str] = "parse-faithful"
    helps: ClassVar[Mapping[str, str]] = {
        "parse-faithful": "PARSE whose slices pay for what they hold, so that they hold what they "
        "say"
    }
    has_slices: ClassVar[bool] = True
    price: float = setting(1.0, at_least=0)
    agreement: float = setting(1.2, at_least=0)
    unique_price: float = setting(0.05, at_least=0)
    synergy_price: float = setting(0.02, at_least=0)
    independence: float = setting(0.1, at_least=0)
    synergy_independence: float = setting(0.004, at_least=0)
    early: float = setting(0.16, at_least=0)


class Local(MethodSpec):
    """Nothing is exchanged: the lower bound."""

    keyword: ClassVar[str] = "local"
    helps: ClassVar[Mapping[str, str]] = {"local": "nothing is exchanged: the lower bound"}


class DSGD(MethodSpec, kw_only=False):
    """Decentralised SGD: ``scope`` says among whom what is averaged.

    ``task``: the whole model, among agents of one modality set; ``modality``: each encoder, among
    the owners of its modality; ``hybrid``: encoders by modality, fusion and head by modality set.
    """

    keyword: ClassVar[str] = "dsgd"
    helps: ClassVar[Mapping[str, str]] = {
        "dsgd-task": "the whole model, averaged among agents of one modality set",
        "dsgd-modality": "each encoder, averaged among the owners of its modality; heads stay "
        "local",
        "dsgd-hybrid": "encoders averaged by modality, fusion and head by modality set",
    }
    scope: str = setting("hybrid")

    def __post_init__(self) -> None:
        """Check the scope, by the names that it makes."""
        super().__post_init__()
        if self.name not in self.helps:
            raise unknown("method", self.name, self.helps)

    @property
    def name(self) -> str:
        """``dsgd-task``, ``dsgd-modality`` or ``dsgd-hybrid``."""
        return f"{self.keyword}-{self.scope}"


class Harmony(MethodSpec):
    """Two stages: a network per modality, then fusion heads among similar neighbours.

    ``first_stage`` is stage 1's share of the rounds, ``tau`` the largest difference of
    normalised drift at which heads are averaged, ``encoder_rate`` the encoders' share of the
    learning rate in stage 2.
    """

    keyword: ClassVar[str] = "harmony"
    helps: ClassVar[Mapping[str, str]] = {
        "harmony": "two stages: a network per modality, then fusion heads among similar neighbours"
    }
    first_stage: float = setting(0.5, above=0, below=1)
    tau: float = setting(0.2, at_least=0)
    encoder_rate: float = setting(0.1, at_least=0)


class GradientSurgery(MethodSpec):
    """DSGD hybrid whose conflicting updates are projected off (PCGrad)."""

    keyword: ClassVar[str] = "gradient-surgery"
    helps: ClassVar[Mapping[str, str]] = {
        "gradient-surgery": "dsgd-hybrid whose conflicting updates are projected off (PCGrad)"
    }


class SheafDMFL(MethodSpec):
    """Encoders averaged by modality, heads coupled by a learned sheaf.

    ``head_step`` is αλ, ``map_step`` ηλ, ``edge_width`` the dimension of an edge's space.
    """

    keyword: ClassVar[str] = "sheaf-dmfl"
    helps: ClassVar[Mapping[str, str]] = {
        "sheaf-dmfl": "encoders averaged by modality, heads coupled by a learned sheaf"
    }
    head_step: float = setting(0.2, at_least=0)
    map_step: float = setting(0.001, at_least=0)
    edge_width: int = setting(64, at_least=1)


class Oracle(ParseOptions):
    """PARSE's network trained centrally on all samples: the upper bound."""

    keyword: ClassVar[str] = "oracle"
    helps: ClassVar[Mapping[str, str]] = {
        "oracle": "PARSE's network trained centrally on all samples: the upper bound"
    }


class OwnMethod(MethodSpec):
    """A method of the user's own, which only a program can hand over: ``own:NAME``."""

    keyword: ClassVar[str] = "own"
    given: str = setting("")

    @property
    def name(self) -> str:
        """``own:NAME``."""
        return f"{self.keyword}:{self.given}"


SPECS: tuple[type[MethodSpec], ...] = (
    Parse,
    ParseAdaptive,
    ParseFaithful,
    Local,
    DSGD,
    Harmony,
    GradientSurgery,
    SheafDMFL,
    Oracle,
)

METHODS: Mapping[str, str] = {name: text for spec in SPECS for name, text in spec.helps.items()}
"""Name → what it does, in one line."""

WITH_SLICES = tuple(
    name
    for spec in SPECS
    if spec.has_slices
    for name in ((*spec.helps, "parse@RULE") if spec is Parse else spec.helps)
)
"""The methods whose networks have redundant, unique and synergistic slices."""


def method_spec(
    text: str, options: Mapping[str, object] | None = None, *, may_have_lr: bool = False
) -> MethodSpec:
    """Return the method of a text form, with ``options``, ``lr`` among them if it may be.

    Raises:
        ConfigError: there is no such method or option (the nearest are offered), or a value cannot
            be used.
    """
    name, paren, rest = text.partition("(")
    kind, fixed = _kind(name)
    written = _written_options(text, rest) if paren else {}
    names = [field.name for field in option_fields(kind)]
    values = {**written, **(options or {})}
    for option, value in values.items():
        has_lr = option == "lr" and (may_have_lr or "lr" in written)
        if option not in names and not has_lr:
            raise ConfigError(
                f"method {name!r} has no option {option!r}"
                + (nearest(option, names) if names else "; it has none")
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"option {option} of {name} must be a number, not {value!r}")
    made = kind(**fixed, **values)
    assert isinstance(made, MethodSpec)
    return made


def _written_options(text: str, rest: str) -> dict[str, Any]:
    """Read ``tau=0.1,lr=0.003)``."""
    parts = [part.partition("=") for part in rest.removesuffix(")").split(",")]
    values = {name.strip(): real(value) for name, _, value in parts}
    if not rest.endswith(")") or None in values.values() or len(values) < len(parts):
        raise ConfigError(
            f"{text!r} is no method; write NAME or NAME(OPTION=NUMBER,...), each option once, as "
            "'harmony(tau=0.1)'"
        )
    return values


def _kind(name: str) -> tuple[type[Any], dict[str, Any]]:
    base, at, rule = name.partition("@")
    if at and base == Parse.keyword:
        return Parse, {"sharing": rule}
    if name.startswith(f"{OwnMethod.keyword}:"):
        return OwnMethod, {"given": name.partition(":")[2]}
    for spec in SPECS:
        if name in spec.helps:
            return spec, {"scope": name.removeprefix("dsgd-")} if spec is DSGD else {}
    raise unknown("method", name, [*METHODS, *(f"parse@{rule}" for rule in SHARING_RULES)])
