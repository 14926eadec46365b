from dataclasses import FrozenInstanceError

import pytest

from parse_dfl.data.config import DataConfig


def test_settings_are_keyword_only_and_frozen():
    config = DataConfig(partition="subject")
    assert (config.data, config.partition, config.test) == ("digits", "subject", "auto")
    with pytest.raises(FrozenInstanceError):
        config.data = "other"
    with pytest.raises(TypeError):
        DataConfig("digits")
