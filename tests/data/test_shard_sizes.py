import numpy as np
import pytest

from parse_dfl.agents import parse_mix
from parse_dfl.data.shard_sizes import shard_sizes
from parse_dfl.errors import ConfigError

AGENTS = parse_mix("acc=2,acc+gyro=3").agents()


def sizes(request, agents=AGENTS, seed=0):
    return shard_sizes(agents, request, np.random.default_rng(seed)).tolist()


def test_one_number():
    assert sizes(64) == sizes("64") == [64] * 5


def test_per_modality_set():
    assert sizes("acc=64, gyro+acc=32") == [64, 64, 32, 32, 32]


def test_range_is_drawn_log_uniformly():
    drawn = np.array(sizes("16..128", parse_mix("m=4000").agents()))
    assert (drawn.min(), drawn.max()) == (16, 128)
    assert abs(np.log2(drawn).mean() - 5.5) < 0.1
    assert sizes("16..128") == sizes("16..128") != sizes("16..128", seed=1)


def test_range_per_modality_set():
    drawn = sizes("acc=1..3,acc+gyro=7")
    assert set(drawn[:2]) <= {1, 2, 3}
    assert drawn[2:] == [7] * 3


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("many", "cannot read samples per agent 'many'; write 64"),
        ("8..", r"cannot read samples per agent '8\.\.'"),
        ("0", "must be 1 or more"),
        (-4, "must be 1 or more"),
        ("9..3", "smaller bound first"),
        ("acc=64", r"says nothing about acc\+gyro"),
        ("acc=64,gyo=3", "no agent has the modality set 'gyo'"),
        ("acc=64,32", "cannot read samples per agent 'acc=64,32'"),
    ],
)
def test_bad_requests(request_, message):
    with pytest.raises(ConfigError, match=message):
        sizes(request_)
