"""The state of all ranks as one, for a checkpoint that any number of ranks can go on from.

What travels is what a checkpoint holds, as safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

from parse_dfl.branches import stable_hash
from parse_dfl.errors import CheckpointError
from parse_dfl.ranks.group import Ranks
from parse_dfl.ranks.ownership import Name, Owners, Roster, name_of

MEMORY = "memory."
EDGES = "memory.edges"
"""Of a rule's memory: whose it is, (sender, receiver) by their stable hashes, shape=(E, 2)."""

State = dict[str, Tensor]
"""As :meth:`Trainer.tensors` gives it: ``BRANCH|NAME`` → tensor."""


class StateKeeper:
    """Puts the rows of all ranks together, and takes them apart."""

    def __init__(self, ranks: Ranks, homes: Mapping[Name, int]) -> None:
        self._ranks, self._homes = ranks, homes

    def gather(self, own: Mapping[str, Tensor], roster: Roster) -> State:
        """The state of one process on the first rank, from every rank's; on others nothing."""
        if not self._ranks.leads:
            self._ranks.send(_packed(own), to=0)
            return {}
        whole: State = {}
        memories: dict[str, list[Tensor]] = {}
        for rank in range(self._ranks.size):
            state = own if rank == 0 else load(bytes(self._ranks.receive(rank)))
            self._add(whole, memories, state, roster, rank)
        return whole | {key: torch.cat(parts) for key, parts in memories.items()}

    def _add(
        self,
        whole: State,
        memories: dict[str, list[Tensor]],
        state: Mapping[str, Tensor],
        roster: Roster,
        rank: int,
    ) -> None:
        for branch, owners in roster.branches.items():
            rows = self._rows(owners, rank)
            kept = _kept(state, str(branch), self._senders(roster, rank))
            for name, value in _of(state, str(branch)).items():
                key = f"{branch}|{name}"
                if name.startswith(MEMORY):
                    memories.setdefault(key, []).append(value.cpu()[kept])
                else:
                    if key not in whole:
                        shape = (len(owners.agents), *value.shape[1:])
                        whole[key] = torch.empty(shape, dtype=value.dtype)
                    whole[key][rows] = value.cpu()

    def scatter(self, whole: Mapping[str, Tensor], roster: Roster) -> State:
        """This rank's part of the state that the first rank gives.

        Raises:
            CheckpointError: the state is of another experiment.
        """
        with self._ranks.agreeing():
            if self._ranks.leads:
                check_whole(whole, roster)
        if not self._ranks.leads:
            return load(bytes(self._ranks.receive(0)))
        for rank in range(1, self._ranks.size):
            self._ranks.send(_packed(self._part(whole, roster, rank)), to=rank)
        return self._part(whole, roster, 0)

    def _part(self, whole: Mapping[str, Tensor], roster: Roster, rank: int) -> State:
        part: State = {}
        for branch, owners in roster.branches.items():
            rows = self._rows(owners, rank)
            if not len(rows):
                continue
            kept = _kept(whole, str(branch), self._senders(roster, rank))
            for name, value in _of(whole, str(branch)).items():
                part[f"{branch}|{name}"] = value[kept if name.startswith(MEMORY) else rows]
        return part

    def _rows(self, owners: Owners, rank: int) -> Tensor:
        """The numbers of the rows of a branch that a rank has."""
        own = [
            row for row, agent in enumerate(owners.agents) if self._homes[name_of(agent)] == rank
        ]
        return torch.tensor(own, dtype=torch.int64)

    def _senders(self, roster: Roster, rank: int) -> Tensor:
        """The stable hashes of a rank's agents."""
        own = [agent for agent in roster.agents if self._homes[name_of(agent)] == rank]
        return torch.tensor([stable_hash(agent.seed, agent.name) for agent in own])


def check_whole(whole: Mapping[str, Tensor], roster: Roster) -> None:
    """Refuse a state that is not of the roster's agents.

    Raises:
        CheckpointError: it holds other branches, or other rows or columns of one.
    """
    if {key.rpartition("|")[0] for key in whole} != {str(branch) for branch in roster.branches}:
        raise CheckpointError("the checkpoint holds the branches of another experiment")
    for branch, owners in roster.branches.items():
        found, needed = tuple(whole[f"{branch}|theta"].shape), (len(owners.agents), owners.width)
        if found != needed:
            raise CheckpointError(
                f"the checkpoint's branch {branch} has shape {found}, this experiment's {needed}"
            )


def _of(state: Mapping[str, Tensor], branch: str) -> State:
    """The tensors of one branch, by name."""
    return {
        name: value
        for label, _, name, value in ((*key.rpartition("|"), value) for key, value in state.items())
        if label == branch
    }


def _kept(state: Mapping[str, Tensor], branch: str, senders: Tensor) -> Tensor:
    """Which entries of a branch's memory are those of the ``senders``.

    Raises:
        CheckpointError: the memory does not say whose its entries are.
    """
    own = _of(state, branch)
    if any(name.startswith(MEMORY) for name in own) and EDGES not in own:
        raise CheckpointError(
            f"the exchange rule of {branch} keeps a memory without 'edges': several ranks cannot "
            "tell whose its entries are; run it in one process"
        )
    edges = own.get(EDGES, torch.empty((0, 2), dtype=torch.int64))
    return torch.isin(edges[:, 0].cpu(), senders)


def _packed(state: Mapping[str, Tensor]) -> bytes:
    return save({name: value.detach().cpu().contiguous() for name, value in state.items()})
