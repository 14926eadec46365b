"""Your own method: a network, an objective, a sharing rule, and how neighbours exchange.

This one is PARSE with three changes: the heads of the unique slices stay private, unsure
predictions are charged for, and messages travel as 16-bit numbers.
"""

import torch

from parse_dfl import (
    AgentSpec,
    Aggregation,
    Batch,
    Branch,
    BranchView,
    Federation,
    Messages,
    Method,
    MixingMatrix,
    Outputs,
    ParseNetwork,
    Stage,
    compare,
    cross_entropy,
    modality_loss,
    partial_alignment,
)


def keep_unique_heads(branch: Branch, agent: AgentSpec) -> str | None:
    """The sharing rule: the name of the overlay for a branch, or None to keep it private."""
    return None if branch.component == "unique" else partial_alignment(branch, agent)


def objective(outputs: Outputs, batch: Batch) -> torch.Tensor:
    """One loss per agent, shape=(n,): outputs have a row for each agent that trains."""
    entropy = torch.distributions.Categorical(logits=outputs.logits).entropy()  # (n, B)
    doubt = (entropy * batch.weight).sum(1)
    return cross_entropy(outputs.logits, batch) + modality_loss(outputs, batch) + 0.01 * doubt


class HalfPrecision(Aggregation):
    """θ_i ← θ_i + Σ_j W_ij (q(θ_j) − q(θ_i)), q rounding to bfloat16."""

    def numbers_sent(self, columns: int) -> int:
        """What crosses a link, counted in numbers of 32 bits."""
        return (columns + 1) // 2

    def send(self, rows: BranchView, mixing: MixingMatrix) -> Messages:
        """What leaves each row: tensors with a row per owner of the branch."""
        return {"rounded": rows.params.bfloat16().to(rows.params.dtype)}

    def receive(self, rows: BranchView, sent: Messages, mixing: MixingMatrix) -> torch.Tensor:
        """The new parameters; each agent keeps the digits that it did not send."""
        return rows.params + mixing.apply(sent["rounded"]) - sent["rounded"]


components = ("backbone", "unique", "redundant", "synergy")
stage = Stage(
    objective=objective,
    sharing=keep_unique_heads,
    exchanges=dict.fromkeys(components, HalfPrecision()),
)
mine = Method(name="mine", network=ParseNetwork, stages=(stage,))

federation = Federation("digits", {"top": 3, "bottom": 3, "bottom+top": 3})
study = compare(federation, [mine, "parse", "local"], seeds=range(2), rounds=20)
print(study)  # bytes/link: what the 16-bit messages save
print(study.difference("mine", "parse"))
