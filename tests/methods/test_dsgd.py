from __future__ import annotations

import pytest
import torch

from parse_dfl.methods.dsgd import dsgd
from parse_dfl.networks.baselines import MonolithicNetwork
from tests.federation import thetas, tiny_simulator

ALL, GROUPS, NOBODY = "all", "groups", "nobody"
WHO = {
    "local": {"encoder": NOBODY, "fusion": NOBODY, "head": NOBODY},
    "dsgd-task": {"encoder": GROUPS, "fusion": GROUPS, "head": GROUPS},
    "dsgd-modality": {"encoder": ALL, "fusion": NOBODY, "head": NOBODY},
    "dsgd-hybrid": {"encoder": ALL, "fusion": GROUPS, "head": GROUPS},
}


def apart(rows):
    """The largest distance between two rows."""
    stacked = torch.stack(list(rows))
    return float((stacked - stacked[0]).abs().max())


@pytest.mark.parametrize("name", WHO)
def test_a_full_overlay_makes_exactly_the_sharers_of_a_branch_equal(name):
    method = dsgd(name)
    assert (method.name, method.network) == (name, MonolithicNetwork)
    simulator = tiny_simulator(method, "a=2,b=2,a+b=2", topology="full")
    simulator.step()
    for component, who in WHO[name].items():
        for rows in thetas(simulator, component).values():
            groups = {}
            for agent, row in rows.items():
                groups.setdefault(agent.rpartition("-")[0], []).append(row)
            assert all((apart(own) < 1e-12) == (who != NOBODY) for own in groups.values())
            if len(groups) > 1:
                assert (apart(rows.values()) < 1e-12) == (who == ALL)
