from __future__ import annotations

import numpy as np
import pytest
import torch

from parse_dfl.config.methods import SheafDMFL
from parse_dfl.errors import ConfigError
from parse_dfl.methods.sheaf import SheafCoupling
from tests.federation import GivenRows, mixing_over, thetas, tiny_simulator

SIZE, COLUMNS, WIDTH = 5, 6, 3
OPTIONS = SheafDMFL(head_step=0.1, map_step=0.05, edge_width=WIDTH)


def rows(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return GivenRows(torch.randn(SIZE, COLUMNS, dtype=torch.float64, generator=generator))


def step(rows, mixing, options=OPTIONS):
    rule = SheafCoupling(options)
    return rule.receive(rows, rule.send(rows, mixing), mixing)


def shaken(rows, mixing):
    """Maps that differ from edge to edge, as after some training."""
    SheafCoupling(OPTIONS).send(rows, mixing)
    generator = torch.Generator().manual_seed(9)
    maps = rows.memory["maps"]
    rows.memory["maps"] = torch.randn(maps.shape, dtype=maps.dtype, generator=generator)
    return rows


def maps_by_edge(rows):
    """Directed edge, as a pair of hashes → its map."""
    edges = [tuple(edge) for edge in rows.memory["edges"].tolist()]
    return dict(zip(edges, rows.memory["maps"].clone(), strict=True))


def energy(theta, maps, mixing):
    """½ Σ ‖P_ij θ_i − P_ji θ_j‖² over undirected edges."""
    edges = list(zip(mixing.source.tolist(), mixing.target.tolist(), strict=True))
    sheaf = dict(zip(edges, maps, strict=True))
    halves = [(sheaf[i, j] @ theta[i] - sheaf[j, i] @ theta[j]).square().sum() for i, j in edges]
    return float(torch.stack(halves).sum()) / 4


def test_a_step_is_the_papers_for_heads_and_maps():
    mixing = mixing_over(SIZE, "chordal-ring")
    own = shaken(rows(), mixing)
    theta = own.params.numpy()
    edges = list(zip(mixing.source.tolist(), mixing.target.tolist(), strict=True))
    sheaf = dict(zip(edges, own.memory["maps"].numpy().copy(), strict=True))
    heads, maps = theta.copy(), {}
    for i, j in edges:
        residual = sheaf[i, j] @ theta[i] - sheaf[j, i] @ theta[j]
        heads[i] -= OPTIONS.head_step * sheaf[i, j].T @ residual
        maps[i, j] = sheaf[i, j] - OPTIONS.map_step * np.outer(residual, theta[i])
    after = step(own, mixing)
    torch.testing.assert_close(after, torch.from_numpy(heads), rtol=1e-12, atol=1e-12)
    expected = torch.from_numpy(np.stack([maps[edge] for edge in edges]))
    torch.testing.assert_close(own.memory["maps"], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("head_step", "map_step"), [(1e-3, 0.0), (0.0, 1e-3), (1e-3, 1e-3)])
def test_small_steps_of_heads_or_maps_lower_the_energy(head_step, map_step):
    mixing = mixing_over(SIZE)
    own = shaken(rows(), mixing)
    before = energy(own.params, own.memory["maps"], mixing)
    options = SheafDMFL(head_step=head_step, map_step=map_step, edge_width=WIDTH)
    after = step(own, mixing, options)
    assert energy(after, own.memory["maps"], mixing) < before


def test_maps_start_as_equal_orthonormal_rows():
    own = rows()
    SheafCoupling(OPTIONS).send(own, mixing_over(SIZE))
    first, *others = own.memory["maps"]
    assert first.shape == (WIDTH, COLUMNS)
    torch.testing.assert_close(first @ first.T, torch.eye(WIDTH, dtype=torch.float64))
    assert all(torch.equal(other, first) for other in others)


def test_new_edges_get_maps_and_old_ones_keep_theirs_also_while_an_agent_is_absent():
    ring, full = mixing_over(SIZE), mixing_over(SIZE, "full")
    own = shaken(rows(), ring)
    step(own, ring)
    learnt = maps_by_edge(own)
    absent = np.array([True] + [False] * (SIZE - 1))
    step(own, ring.drop_nodes(absent))
    now = maps_by_edge(own)
    away = {edge for edge in learnt if torch.equal(now[edge], learnt[edge])}
    assert set(now) == set(learnt)
    assert len(away) == 4  # both directions of the two edges of the absent agent
    SheafCoupling(OPTIONS).send(own, full)
    later = maps_by_edge(own)
    assert len(later) == SIZE * (SIZE - 1)
    assert all(torch.equal(later[edge], value) for edge, value in now.items())
    new = [value for edge, value in later.items() if edge not in now]
    assert all(torch.equal(value, new[0]) for value in new)


def test_a_directed_topology_is_refused():
    message = "sheaf-dmfl needs an undirected topology .*: use ring, chordal-ring or exponential"
    with pytest.raises(ConfigError, match=message):
        step(rows(), mixing_over(SIZE, "one-peer-exponential"))


def test_a_projection_crosses_an_edge_never_wider_than_the_head():
    rule = SheafCoupling(OPTIONS)
    assert (rule.numbers_sent(100), rule.numbers_sent(2)) == (WIDTH, 2)
    sent = rule.send(rows(), mixing_over(SIZE))
    assert {name: tuple(value.shape) for name, value in sent.items()} == {
        "edge:projection": (2 * SIZE, WIDTH)
    }


def test_heads_are_pulled_together_across_modality_sets_but_stay_apart():
    heads = []
    for name in ("dsgd-modality", "sheaf-dmfl"):
        simulator = tiny_simulator(name, "a=2,b=2,a+b=2", rounds=3)
        for _ in range(3):
            simulator.step()
        heads.append(torch.stack(list(thetas(simulator, "head")["any"].values())))
    local, coupled = ((rows - rows.mean(0)).norm() for rows in heads)
    assert 0 < coupled < local
