"""Methods as objects: a name with its options, checked when it is built, without torch.

    MethodSpec
    ├── Parse, ParseAdaptive, ParseFaithful    PARSE and what was made of it
    ├── Local, DSGD, Harmony, GradientSurgery, SheafDMFL
    └── Oracle                                 the upper bound

A spec says what to train; :func:`parse_dfl.methods.registry.build_method` makes it a
:class:`~parse_dfl.methods.base.Method`, with torch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from parse_dfl.methods.names import check_method, check_option, split_method
from parse_dfl.methods.options import (
    AdaptiveOptions,
    FaithfulOptions,
    HarmonyOptions,
    Options,
    ParseOptions,
    SheafOptions,
)

NOT_OPTIONS = ("lr", "sharing", "scope")
"""Fields that are part of the name, or a setting of local training."""


@dataclass(frozen=True, kw_only=True)
class MethodSpec(Options):
    """A method by its name, with its options and a learning rate (None: the method's own)."""

    base: ClassVar[str]
    lr: float | None = None

    def __post_init__(self) -> None:
        """Check the learning rate, then the options of the class beside this one."""
        super().__post_init__()
        if self.lr is not None:
            check_option("lr", self.lr, above=0)
        check_method(self.name)

    @property
    def name(self) -> str:
        """The method's name, as the command line has it."""
        return self.base

    def options(self) -> dict[str, float | str | bool]:
        """Return the options that differ from their defaults, by name."""
        return {
            field.name: value
            for field in fields(self)
            if field.name not in NOT_OPTIONS
            and (value := getattr(self, field.name)) != field.default
        }


@dataclass(frozen=True, kw_only=True)
class Parse(MethodSpec, ParseOptions):
    """PARSE: fission into slices, each averaged among the agents that own it.

    ``sharing`` puts another sharing rule in the place of partial alignment, as the control
    ``Parse(sharing="dsgd-hybrid")``, which the tables call ``parse@dsgd-hybrid``.
    """

    base: ClassVar[str] = "parse"
    sharing: str | None = None

    @property
    def name(self) -> str:
        """``parse``, or ``parse@RULE`` under another sharing rule."""
        return self.base if self.sharing is None else f"{self.base}@{self.sharing}"


@dataclass(frozen=True, kw_only=True)
class ParseAdaptive(MethodSpec, AdaptiveOptions):
    """PARSE that weighs each slice per sample, learned on held-out samples."""

    base: ClassVar[str] = "parse-adaptive"


@dataclass(frozen=True, kw_only=True)
class ParseFaithful(MethodSpec, FaithfulOptions):
    """PARSE whose slices pay for what they hold, so that they hold what they say."""

    base: ClassVar[str] = "parse-faithful"


@dataclass(frozen=True, kw_only=True)
class Local(MethodSpec):
    """Nothing is exchanged: the lower bound."""

    base: ClassVar[str] = "local"


@dataclass(frozen=True)
class DSGD(MethodSpec):
    """Decentralised SGD: ``scope`` says among whom what is averaged.

    ``task``: the whole model, among agents of one modality set; ``modality``: each encoder, among
    the owners of its modality; ``hybrid``: encoders by modality, fusion and head by modality set.
    """

    base: ClassVar[str] = "dsgd"
    scope: str = "hybrid"

    @property
    def name(self) -> str:
        """``dsgd-task``, ``dsgd-modality`` or ``dsgd-hybrid``."""
        return f"{self.base}-{self.scope}"


@dataclass(frozen=True, kw_only=True)
class Harmony(MethodSpec, HarmonyOptions):
    """Two stages: a network per modality, then fusion heads among similar neighbours."""

    base: ClassVar[str] = "harmony"


@dataclass(frozen=True, kw_only=True)
class GradientSurgery(MethodSpec):
    """DSGD hybrid whose conflicting updates are projected off (PCGrad)."""

    base: ClassVar[str] = "gradient-surgery"


@dataclass(frozen=True, kw_only=True)
class SheafDMFL(MethodSpec, SheafOptions):
    """Encoders averaged by modality, heads coupled by a learned sheaf."""

    base: ClassVar[str] = "sheaf-dmfl"


@dataclass(frozen=True, kw_only=True)
class Oracle(MethodSpec, ParseOptions):
    """PARSE's network trained centrally on all samples: the upper bound."""

    base: ClassVar[str] = "oracle"


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


def spec_of(name: str) -> MethodSpec:
    """Return the method called ``name``, with its defaults.

    Raises:
        ConfigError: there is no such method; the nearest are offered.
    """
    base, _ = split_method(name)
    if base == "parse":
        return Parse(sharing=name.partition("@")[2] or None)
    if base.startswith("dsgd-"):
        return DSGD(base.removeprefix("dsgd-"))
    return next(spec for spec in SPECS if spec.base == base)()
