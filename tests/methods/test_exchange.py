from __future__ import annotations

import torch

from parse_dfl.methods.exchange import AVERAGE, Average
from tests.federation import GivenRows, mixing_over


def test_averaging_is_the_product_with_the_mixing_matrix():
    theta = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows, mixing = GivenRows(theta), mixing_over(5)
    sent = AVERAGE.send(rows, mixing)
    assert set(sent) == {"theta"}
    expected = torch.from_numpy(mixing.dense()) @ theta
    torch.testing.assert_close(AVERAGE.receive(rows, sent, mixing), expected)


def test_averaging_sends_the_parameters_and_needs_no_snapshot():
    assert AVERAGE.floats(12) == 12
    assert not AVERAGE.needs_before


def test_what_receives_otherwise_does_not_count_as_averaging():
    class Keep(Average):
        def receive(self, rows, sent, mixing):
            return rows.theta

    assert AVERAGE.averages
    assert not Keep().averages
