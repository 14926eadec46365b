"""The options of every method, in a file that costs nothing to import.

Each is checked when it is built; a method's file says in its formulas what its options weigh.
"""

from __future__ import annotations

from dataclasses import dataclass

from parse_dfl.methods.names import check_option


@dataclass(frozen=True)
class Options:
    """Options of a method without settings of its own, and the base of all others."""

    def __post_init__(self) -> None:
        """Check nothing: there is nothing to check."""


@dataclass(frozen=True, kw_only=True)
class ParseOptions(Options):
    """Weights of PARSE's loss: CE(ℓ) + modality · Σ_m CE(r_m + u_m) + head · Σ_slices CE
    + contrastive · Σ_ab supcon(r_a, r_b).

    All but the first term exist only where an agent owns several modalities, except the heads'.
    Every ``hold_out``-th sample of such an agent is kept from the slices for the first
    ``gate_share`` of the rounds, and the slices' weights are learned from these; then the weights
    stand, and the slices learn from all samples.  0: no weights, the plain sum.
    """

    modality_weight: float = 1.0
    head_weight: float = 0.0
    contrastive_weight: float = 0.15
    temperature: float = 0.2
    hold_out: int = 4
    gate_share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("temperature", self.temperature, above=0)
        for name in ("modality_weight", "head_weight", "contrastive_weight"):
            check_option(name, getattr(self, name), least=0)
        check_option("gate_share", self.gate_share, above=0, most=1)
        check_option("hold_out", self.hold_out, least=0, whole=True)
        if self.hold_out == 1:
            check_option("hold_out", self.hold_out, least=2)


@dataclass(frozen=True, kw_only=True)
class AdaptiveOptions(ParseOptions):
    """PARSE's options, with gates that learn in all rounds."""

    gate_share: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("hold_out", self.hold_out, least=2, whole=True)


PRICES = ("agreement", "unique_price", "synergy_price", "independence", "synergy_independence")


@dataclass(frozen=True, kw_only=True)
class FaithfulOptions(Options):
    """``agreement`` β_r, ``unique_price`` β_u, ``synergy_price`` β_s, ``independence`` κ,
    ``synergy_independence`` κ_s; ``price`` multiplies all five; in the first stage β_r is ``early``
    times as high."""

    price: float = 1.0
    agreement: float = 1.2
    unique_price: float = 0.05
    synergy_price: float = 0.02
    independence: float = 0.1
    synergy_independence: float = 0.004
    early: float = 0.16

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (*PRICES, "price", "early"):
            check_option(name, getattr(self, name), least=0)


@dataclass(frozen=True, kw_only=True)
class HarmonyOptions(Options):
    """``first_stage`` is stage 1's share of the rounds, ``tau`` the largest difference of
    normalised drift at which heads are averaged, ``encoder_rate`` the encoders' share of the
    learning rate in stage 2."""

    first_stage: float = 0.5
    tau: float = 0.2
    encoder_rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("first_stage", self.first_stage, above=0, below=1)
        check_option("tau", self.tau, least=0)
        check_option("encoder_rate", self.encoder_rate, least=0)


@dataclass(frozen=True, kw_only=True)
class SheafOptions(Options):
    """``head_step`` is αλ, ``map_step`` ηλ, ``edge_width`` the dimension of an edge's space."""

    head_step: float = 0.2
    map_step: float = 0.001
    edge_width: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("head_step", self.head_step, least=0)
        check_option("map_step", self.map_step, least=0)
        check_option("edge_width", self.edge_width, least=1, whole=True)
