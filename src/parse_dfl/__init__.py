"""Train multimodal models by decentralized federated learning: PARSE and its rivals.

The public names are loaded when they are first used, so that importing the package, and asking
the command line for help, costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parse_dfl.agents import AgentSpec, ModalityChange
    from parse_dfl.analysis.pid.estimation import estimate as estimate_pid
    from parse_dfl.api.dataset import Dataset, load_dataset
    from parse_dfl.api.federation import Federation
    from parse_dfl.api.result import Result, probe
    from parse_dfl.api.study import Difference, Study, compare
    from parse_dfl.branches import Branch
    from parse_dfl.byzantine import Attacker
    from parse_dfl.config.partition import IID, BySubject, Dirichlet
    from parse_dfl.config.topology import (
        ChordalRing,
        Complete,
        ErdosRenyi,
        Exponential,
        OnePeerExponential,
        RandomMatching,
        Regular,
        Ring,
        ScaleFree,
        SmallWorld,
    )
    from parse_dfl.engine.agent_io import TrainedAgent, load_agent
    from parse_dfl.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        IdentityError,
        OutputError,
        OverlayError,
        ParseDflError,
        PeerError,
        RankError,
        RecordError,
        UnknownNameError,
    )
    from parse_dfl.methods.base import (
        Aggregation,
        BranchView,
        Messages,
        Method,
        Stage,
        partial_alignment,
    )
    from parse_dfl.networks.encoders import SampleShape
    from parse_dfl.networks.layers import Dropout
    from parse_dfl.networks.losses import Batch, cross_entropy, modality_loss
    from parse_dfl.networks.network import Outputs
    from parse_dfl.networks.parse import ParseNetwork
    from parse_dfl.overlays.mixing_matrix import MixingMatrix
    from parse_dfl.overlays.topologies import Topology
    from parse_dfl.process import tune_process
    from parse_dfl.runs.callbacks import Callback
    from parse_dfl.runs.reporting import write_report

__version__ = "0.1.0"

_HOMES = {
    "AgentSpec": "agents",
    "Attacker": "byzantine",
    "Batch": "networks.losses",
    "Branch": "branches",
    "BySubject": "config.partition",
    "Callback": "runs.callbacks",
    "CheckpointError": "errors",
    "ChordalRing": "config.topology",
    "Complete": "config.topology",
    "ConfigError": "errors",
    "DataError": "errors",
    "Dataset": "api.dataset",
    "Difference": "api.study",
    "Dirichlet": "config.partition",
    "Dropout": "networks.layers",
    "ErdosRenyi": "config.topology",
    "Aggregation": "methods.base",
    "Exponential": "config.topology",
    "Federation": "api.federation",
    "IID": "config.partition",
    "IdentityError": "errors",
    "Method": "methods.base",
    "MixingMatrix": "overlays.mixing_matrix",
    "ModalityChange": "agents",
    "OnePeerExponential": "config.topology",
    "OutputError": "errors",
    "Outputs": "networks.network",
    "OverlayError": "errors",
    "ParseDflError": "errors",
    "ParseNetwork": "networks.parse",
    "PeerError": "errors",
    "RandomMatching": "config.topology",
    "RankError": "errors",
    "RecordError": "errors",
    "Regular": "config.topology",
    "Result": "api.result",
    "Ring": "config.topology",
    "BranchView": "methods.base",
    "SampleShape": "networks.encoders",
    "ScaleFree": "config.topology",
    "Messages": "methods.base",
    "SmallWorld": "config.topology",
    "Stage": "methods.base",
    "Study": "api.study",
    "Topology": "overlays.topologies",
    "TrainedAgent": "engine.agent_io",
    "UnknownNameError": "errors",
    "compare": "api.study",
    "cross_entropy": "networks.losses",
    "estimate_pid": "analysis.pid.estimation",
    "load_agent": "engine.agent_io",
    "load_dataset": "api.dataset",
    "modality_loss": "networks.losses",
    "partial_alignment": "methods.base",
    "probe": "api.result",
    "tune_process": "process",
    "write_report": "runs.reporting",
}
_NAMES = {"estimate_pid": "estimate"}
"""Where a public name differs from the one at home."""

__all__ = [
    "IID",
    "AgentSpec",
    "Aggregation",
    "Attacker",
    "Batch",
    "Branch",
    "BranchView",
    "BySubject",
    "Callback",
    "CheckpointError",
    "ChordalRing",
    "Complete",
    "ConfigError",
    "DataError",
    "Dataset",
    "Difference",
    "Dirichlet",
    "Dropout",
    "ErdosRenyi",
    "Exponential",
    "Federation",
    "IdentityError",
    "Messages",
    "Method",
    "MixingMatrix",
    "ModalityChange",
    "OnePeerExponential",
    "OutputError",
    "Outputs",
    "OverlayError",
    "ParseDflError",
    "ParseNetwork",
    "PeerError",
    "RandomMatching",
    "RankError",
    "RecordError",
    "Regular",
    "Result",
    "Ring",
    "SampleShape",
    "ScaleFree",
    "SmallWorld",
    "Stage",
    "Study",
    "Topology",
    "TrainedAgent",
    "UnknownNameError",
    "__version__",
    "compare",
    "cross_entropy",
    "estimate_pid",
    "load_agent",
    "load_dataset",
    "modality_loss",
    "partial_alignment",
    "probe",
    "tune_process",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'parse_dfl' has no attribute {name!r}")
    return getattr(import_module(f"parse_dfl.{_HOMES[name]}"), _NAMES.get(name, name))


def __dir__() -> list[str]:
    return __all__
