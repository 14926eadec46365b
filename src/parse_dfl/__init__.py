"""Multimodal decentralized federated learning: PARSE and its rivals.

The public names are loaded when they are first used, so that importing the package, and asking
the command line for help, costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parse_dfl.agents import AgentSpec
    from parse_dfl.branches import Branch
    from parse_dfl.data.catalog import load as load_data
    from parse_dfl.data.config import DataConfig
    from parse_dfl.data.mapping import from_mapping, from_torch_dataset
    from parse_dfl.errors import ParseDflError
    from parse_dfl.experiments.compare import compare
    from parse_dfl.experiments.config import RunConfig
    from parse_dfl.experiments.own import Own
    from parse_dfl.experiments.run import resume_run, run
    from parse_dfl.methods.exchange import Exchange, Rows, Sent
    from parse_dfl.methods.method import Method, Stage
    from parse_dfl.methods.sharing import partial_alignment
    from parse_dfl.networks.config import NetworkConfig
    from parse_dfl.networks.encoders import SampleShape
    from parse_dfl.networks.layers import Dropout
    from parse_dfl.networks.network import Outputs
    from parse_dfl.networks.parse import ParseNetwork
    from parse_dfl.objectives import Batch, cross_entropy, modality_loss
    from parse_dfl.overlays.config import OverlayConfig
    from parse_dfl.overlays.mixing import Mixing
    from parse_dfl.report.page import write_report
    from parse_dfl.threads import tune_process
    from parse_dfl.training.agent_file import TrainedAgent, load_agent
    from parse_dfl.training.config import TrainingConfig

__version__ = "0.1.0"

_HOMES = {
    "AgentSpec": "agents",
    "Batch": "objectives",
    "Branch": "branches",
    "DataConfig": "data.config",
    "Dropout": "networks.layers",
    "Exchange": "methods.exchange",
    "Method": "methods.method",
    "Mixing": "overlays.mixing",
    "NetworkConfig": "networks.config",
    "Outputs": "networks.network",
    "OverlayConfig": "overlays.config",
    "Own": "experiments.own",
    "ParseDflError": "errors",
    "ParseNetwork": "networks.parse",
    "Rows": "methods.exchange",
    "RunConfig": "experiments.config",
    "SampleShape": "networks.encoders",
    "Sent": "methods.exchange",
    "Stage": "methods.method",
    "TrainedAgent": "training.agent_file",
    "TrainingConfig": "training.config",
    "compare": "experiments.compare",
    "cross_entropy": "objectives",
    "from_mapping": "data.mapping",
    "from_torch_dataset": "data.mapping",
    "load_agent": "training.agent_file",
    "load_data": "data.catalog",
    "modality_loss": "objectives",
    "partial_alignment": "methods.sharing",
    "resume_run": "experiments.run",
    "run": "experiments.run",
    "tune_process": "threads",
    "write_report": "report.page",
}
_NAMES = {"load_data": "load"}
"""Where a public name differs from the one at home."""

__all__ = [
    "AgentSpec",
    "Batch",
    "Branch",
    "DataConfig",
    "Dropout",
    "Exchange",
    "Method",
    "Mixing",
    "NetworkConfig",
    "Outputs",
    "OverlayConfig",
    "Own",
    "ParseDflError",
    "ParseNetwork",
    "Rows",
    "RunConfig",
    "SampleShape",
    "Sent",
    "Stage",
    "TrainedAgent",
    "TrainingConfig",
    "__version__",
    "compare",
    "cross_entropy",
    "from_mapping",
    "from_torch_dataset",
    "load_agent",
    "load_data",
    "modality_loss",
    "partial_alignment",
    "resume_run",
    "run",
    "tune_process",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'parse_dfl' has no attribute {name!r}")
    return getattr(import_module(f"parse_dfl.{_HOMES[name]}"), _NAMES.get(name, name))


def __dir__() -> list[str]:
    return __all__
