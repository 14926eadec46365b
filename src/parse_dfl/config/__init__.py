"""Declare every setting of a run once, checked when it is built, without torch or numpy."""

from parse_dfl.config.federation import DataConfig, OverlayConfig, PeerConfig
from parse_dfl.config.methods import MethodSpec, method_spec
from parse_dfl.config.partition import Partition, SampleCounts
from parse_dfl.config.run import (
    GROUPS,
    SETTINGS,
    AuditConfig,
    RunConfig,
    differences,
    from_dict,
    from_settings,
    load_toml,
    read_toml,
    to_dict,
    value_at,
    with_values,
)
from parse_dfl.config.topology import TopologyRule
from parse_dfl.config.training import AUTO, FUSIONS, NetworkConfig, TrainingConfig

__all__ = [
    "AUTO",
    "FUSIONS",
    "GROUPS",
    "SETTINGS",
    "AuditConfig",
    "DataConfig",
    "MethodSpec",
    "NetworkConfig",
    "OverlayConfig",
    "Partition",
    "PeerConfig",
    "RunConfig",
    "SampleCounts",
    "TopologyRule",
    "TrainingConfig",
    "differences",
    "from_dict",
    "from_settings",
    "load_toml",
    "method_spec",
    "read_toml",
    "to_dict",
    "value_at",
    "with_values",
]
