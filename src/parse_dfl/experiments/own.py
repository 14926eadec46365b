"""What a user brings from Python: own data, encoders, topology or method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parse_dfl.data.dataset import MultimodalData
from parse_dfl.methods.method import Method
from parse_dfl.networks.encoders import EncoderBuilder
from parse_dfl.overlays.topologies import Topology

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, kw_only=True)
class Own:
    """Ingredients that take the place of what the configuration names.

    ``encoders`` are builders by name: the configuration's ``network.encoders`` chooses which
    modality, or which group's modality, uses which.  A run with any of these can be resumed only
    by giving them again.
    """

    data: MultimodalData | None = None
    encoders: Mapping[str, EncoderBuilder] = field(default_factory=dict)
    topology: nx.Graph | Topology | None = None
    method: Method | None = None


NOTHING_OWN = Own()
