from __future__ import annotations

from torch import nn

from parse_dfl.agents import AgentMix
from parse_dfl.networks.network import Network, Outputs
from parse_dfl.ranks.ownership import Roster, Work
from tests.small import small_data, small_network_spec, small_shards


class Twice(Network):
    """One layer for every modality, and another one on all outputs together."""

    def __init__(self, network_spec, agent):
        super().__init__()
        self.names = agent.modalities
        for name in self.names:
            (width,) = network_spec.samples[name].shape
            self.add(name, "layer", lambda width=width: nn.Linear(width, 5))
        self.add("any", "head", lambda: nn.Linear(5, network_spec.classes))

    def forward(self, inputs):
        features = sum(self.part(name, "layer")(inputs[name]) for name in self.names)
        return Outputs(self.part("any", "head")(features))


def test_the_work_of_an_agent_is_its_products_and_its_parameters():
    data = small_data()
    shards = small_shards(AgentMix.from_string("a=2,a+b=1").agents(0), data, [12])
    roster = Roster(shards, Twice, small_network_spec(data))
    alone, _, both = (roster.work[agent] for agent in roster.agents)
    assert alone == Work(forward=2 * (3 * 5 + 5 * 3), parameters=3 * 5 + 5 + 5 * 3 + 3)
    assert both.forward == alone.forward + 2 * 4 * 5
    assert {
        str(branch).rpartition("/")[0]: len(own.agents) for branch, own in roster.branches.items()
    } == {
        "any/head": 3,
        "a/layer": 3,
        "b/layer": 1,
    }
