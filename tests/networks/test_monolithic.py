from __future__ import annotations

import torch

from parse_dfl.networks.monolithic import MonolithicNetwork
from tests.federation import CLASSES, WIDTHS, agent, tiny_blueprint


def network(modalities):
    return MonolithicNetwork(tiny_blueprint(), agent(modalities))


def inputs(modalities, rows=()):
    return {name: torch.randn(*rows, 4, WIDTHS[name]) for name in modalities}


def test_components_are_encoders_a_fusion_of_the_set_and_one_head():
    assert list(network("a").parts) == ["a/encoder", "a/fusion", "any/head"]
    assert list(network("a+b").parts) == ["a/encoder", "b/encoder", "a+b/fusion", "any/head"]


def test_heads_and_encoders_are_the_same_branch_in_every_agent():
    one, both = network("a"), network("a+b")
    assert one.branches["any/head"] == both.branches["any/head"]
    assert one.branches["a/encoder"] == both.branches["a/encoder"]


def test_the_head_reads_the_fused_embedding():
    own, given = network("a+b"), inputs("ab")
    outputs = own(given)
    assert outputs.logits.shape == (4, CLASSES)
    assert torch.equal(own.part("any", "head")(outputs.slices["fused"]), outputs.logits)
    embedded = torch.cat([own.part(name, "encoder")(given[name]) for name in "ab"], -1)
    assert torch.equal(own.part("a+b", "fusion")(embedded), outputs.slices["fused"])


def test_a_missing_modality_embeds_as_zero():
    own, given = network("a+b"), inputs("ab")
    embedded = own.part("b", "encoder")(given["b"])
    joined = torch.cat([torch.zeros_like(embedded), embedded], -1)
    expected = own.part("any", "head")(own.part("a+b", "fusion")(joined))
    assert torch.equal(own({"b": given["b"]}).logits, expected)
