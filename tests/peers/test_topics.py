from __future__ import annotations

import pytest

from parse_dfl.errors import ConfigError
from parse_dfl.peers.topics import check_name, is_address


@pytest.mark.parametrize("name", ["acc-0", "acc+gyro-12", "_x", "7.b", "a" * 64])
def test_good_names(name):
    assert check_name("agent", name) == name


@pytest.mark.parametrize("name", ["", "..", ".x", "-x", "a/b", "a b", "a*", "a" * 65, "é", "a\n"])
def test_names_that_could_mean_something_else_are_refused(name):
    with pytest.raises(ConfigError, match=r"cannot name the agent; use at most 64 letters"):
        check_name("agent", name)


@pytest.mark.parametrize(
    ("host", "numeric"),
    [("10.0.0.7", True), ("::1", True), ("localhost", False), ("a-b.example.org", False)],
)
def test_hosts(host, numeric):
    assert is_address(host) is numeric


@pytest.mark.parametrize("host", ["", "*.example.org", "a b", "tls/host", "host:7447", "x" * 300])
def test_bad_hosts_are_refused(host):
    with pytest.raises(ConfigError, match="neither an IP address nor a host name"):
        is_address(host)
