from __future__ import annotations

import torch

from parse_dfl.networks.late_fusion import LateFusionNetwork, mean_logits
from tests.federation import CLASSES, WIDTHS, agent, tiny_blueprint


def network(modalities):
    return LateFusionNetwork(tiny_blueprint(), agent(modalities))


def inputs(modalities):
    return {name: torch.randn(4, WIDTHS[name]) for name in modalities}


def test_each_modality_has_a_network_and_only_several_have_a_fusion():
    assert list(network("a").parts) == ["a/encoder", "a/head"]
    expected = ["a/encoder", "a/head", "b/encoder", "b/head", "a+b/fusion"]
    assert list(network("a+b").parts) == expected


def test_a_modalitys_network_is_the_same_branch_in_every_agent():
    one, both = network("a"), network("a+b")
    assert all(both.branches[label] == one.branches[label] for label in one.parts)


def test_the_fusion_head_reads_all_embeddings():
    own, given = network("a+b"), inputs("ab")
    outputs = own(given)
    joined = torch.cat([outputs.slices["a"], outputs.slices["b"]], -1)
    assert torch.equal(own.part("a+b", "fusion")(joined), outputs.logits)
    assert outputs.logits.shape == (4, CLASSES)
    for name in "ab":
        alone = own.part(name, "head")(own.part(name, "encoder")(given[name]))
        assert torch.equal(outputs.modality_logits[name], alone)


def test_where_a_modality_is_missing_the_others_predict_by_their_mean():
    own, given = network("a+b+c"), inputs("abc")
    outputs = own({name: given[name] for name in "ac"})
    assert torch.equal(outputs.logits, mean_logits(outputs.modality_logits))
    assert set(outputs.modality_logits) == {"a", "c"}
    one = network("a")(inputs("a"))
    assert torch.equal(one.logits, one.modality_logits["a"])
