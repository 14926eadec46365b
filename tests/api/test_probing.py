"""Probes of a result: what ``parse-dfl audit`` measures, also for data of the user's own."""

from __future__ import annotations

import numpy as np
import pytest

from parse_dfl import ConfigError, Dataset, Federation, probe


def test_a_result_on_the_users_own_data_is_probed(quick):
    rng = np.random.default_rng(0)
    label = np.arange(200) % 2
    arrays = {name: rng.normal(label[:, None], 1.0, (200, 3)) for name in ("a", "b")}
    data = Dataset.from_arrays(arrays, label, name="mine")
    result = Federation(data, {"a+b": 2}, samples_per_agent=16).fit(**quick)
    found = probe(result, agents_per_group=1, probe_steps=5)
    assert found["data"] == "mine"
    assert len(found["groups"]["a+b"]["agents"]) == 1
    assert (result.folder / "audit.json").exists()
    with pytest.raises(ConfigError, match="probe_steps of an audit must be at least 1"):
        probe(result, probe_steps=0)
