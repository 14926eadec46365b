from __future__ import annotations

import torch

from parse_dfl.networks.baselines import LateFusionNetwork, MonolithicNetwork, mean_logits
from tests.federation import CLASSES, WIDTHS, agent, tiny_blueprint


def monolithic(modalities):
    return MonolithicNetwork(tiny_blueprint(), agent(modalities))


def inputs(modalities):
    return {name: torch.randn(4, WIDTHS[name]) for name in modalities}


def test_components_of_the_monolithic_network_are_encoders_a_fusion_of_the_set_and_one_head():
    assert list(monolithic("a").parts) == ["a/encoder", "a/fusion", "any/head"]
    assert list(monolithic("a+b").parts) == ["a/encoder", "b/encoder", "a+b/fusion", "any/head"]


def test_heads_and_encoders_are_the_same_branch_in_every_agent():
    one, both = monolithic("a"), monolithic("a+b")
    assert one.branches["any/head"] == both.branches["any/head"]
    assert one.branches["a/encoder"] == both.branches["a/encoder"]


def test_the_head_reads_the_fused_embedding():
    own, given = monolithic("a+b"), inputs("ab")
    outputs = own(given)
    assert outputs.logits.shape == (4, CLASSES)
    assert torch.equal(own.part("any", "head")(outputs.slices["fused"]), outputs.logits)
    embedded = torch.cat([own.part(name, "encoder")(given[name]) for name in "ab"], -1)
    assert torch.equal(own.part("a+b", "fusion")(embedded), outputs.slices["fused"])


def test_a_missing_modality_embeds_as_zero():
    own, given = monolithic("a+b"), inputs("ab")
    embedded = own.part("b", "encoder")(given["b"])
    joined = torch.cat([torch.zeros_like(embedded), embedded], -1)
    expected = own.part("any", "head")(own.part("a+b", "fusion")(joined))
    assert torch.equal(own({"b": given["b"]}).logits, expected)


def late_fusion(modalities):
    return LateFusionNetwork(tiny_blueprint(), agent(modalities))


def test_each_modality_has_a_network_and_only_several_have_a_fusion():
    assert list(late_fusion("a").parts) == ["a/encoder", "a/head"]
    expected = ["a/encoder", "a/head", "b/encoder", "b/head", "a+b/fusion"]
    assert list(late_fusion("a+b").parts) == expected


def test_a_modalitys_network_is_the_same_branch_in_every_agent():
    one, both = late_fusion("a"), late_fusion("a+b")
    assert all(both.branches[label] == one.branches[label] for label in one.parts)


def test_the_fusion_head_reads_all_embeddings():
    own, given = late_fusion("a+b"), inputs("ab")
    outputs = own(given)
    joined = torch.cat([outputs.slices["a"], outputs.slices["b"]], -1)
    assert torch.equal(own.part("a+b", "fusion")(joined), outputs.logits)
    assert outputs.logits.shape == (4, CLASSES)
    for name in "ab":
        alone = own.part(name, "head")(own.part(name, "encoder")(given[name]))
        assert torch.equal(outputs.modality_logits[name], alone)


def test_where_a_modality_is_missing_the_others_predict_by_their_mean():
    own, given = late_fusion("a+b+c"), inputs("abc")
    outputs = own({name: given[name] for name in "ac"})
    assert torch.equal(outputs.logits, mean_logits(outputs.modality_logits))
    assert set(outputs.modality_logits) == {"a", "c"}
    one = late_fusion("a")(inputs("a"))
    assert torch.equal(one.logits, one.modality_logits["a"])
