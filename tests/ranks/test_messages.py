from __future__ import annotations

import numpy as np
import torch

from parse_dfl.ranks.messages import Mail, Parcel, placed


class Echo:
    """A neighbour that owns the same: what is sent to it comes back."""

    def __init__(self):
        self.messages = []

    def exchange(self, outgoing, incoming):
        self.messages.append({rank: len(value) for rank, value in outgoing.items()})
        for rank, value in outgoing.items():
            incoming[rank].copy_(value)


def parcel(value, **rows):
    sent = {int(rank[1:]): np.array(own) for rank, own in rows.items()}
    return Parcel(value, sent, {rank: len(own) for rank, own in sent.items()})


def test_rows_of_several_dtypes_and_shapes_travel_in_one_message_a_rank():
    narrow = torch.arange(6, dtype=torch.float32).view(6, 1)
    wide = torch.arange(24, dtype=torch.float64).view(3, 2, 4)
    echo = Echo()
    first, second = Mail(echo).swap([parcel(narrow, r1=[4, 0, 2], r5=[1]), parcel(wide, r1=[2])])
    assert echo.messages == [{1: 16 + 64, 5: 16}]
    assert torch.equal(first[1], narrow[[4, 0, 2]])
    assert torch.equal(first[5], narrow[[1]])
    assert torch.equal(second[1], wide[[2]])


def test_rows_without_numbers_cross_as_nothing():
    echo = Echo()
    (arrived,) = Mail(echo).swap([parcel(torch.zeros(3, 0), r1=[0, 2])])
    assert echo.messages == [{}]
    assert arrived[1].shape == (2, 0)


def test_nothing_to_send_is_no_message():
    echo = Echo()
    assert Mail(echo).swap([]) == []
    assert echo.messages == [{}]


def test_buffers_are_kept_and_grow_where_more_must_cross():
    value = torch.arange(40, dtype=torch.float32).view(10, 4)
    echo = Echo()
    mail = Mail(echo)
    first = mail.swap([parcel(value, r1=[0, 1])])[0][1]
    few = mail.swap([parcel(value, r1=[2])])[0][1]
    assert few.data_ptr() == first.data_ptr()
    assert torch.equal(few, value[[2]])
    many = mail.swap([parcel(value, r1=[9, 3, 4])])[0][1]
    assert torch.equal(many, value[[9, 3, 4]])
    assert echo.messages == [{1: 32}, {1: 16}, {1: 48}]


def test_what_arrived_is_put_in_its_places():
    local = placed(torch.zeros(4, 1), {7: torch.ones(2, 1)}, {7: np.array([3, 1])})
    assert local.flatten().tolist() == [0, 1, 0, 1]
