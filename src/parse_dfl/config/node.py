"""Read the file of one agent, ``AGENT.toml``: an experiment's settings and a ``[node]`` table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parse_dfl.agents import key, modality_set
from parse_dfl.config.run import RunConfig, from_settings, read_toml, with_values
from parse_dfl.config.training import AUTO
from parse_dfl.errors import ConfigError
from parse_dfl.process import command
from parse_dfl.settings import Settings, read, setting
from parse_dfl.text import whole

PORT = 7447


class NodeConfig(Settings):
    """What differs from agent to agent.

    ``name`` is the agent's, as in its certificate; ``modalities`` are joined by ``+``.
    ``certificates`` is the folder that ``parse-dfl cert issue`` wrote, ``federation`` the
    federation's name where there are none (``insecure = true``).  ``listen`` and ``connect`` are
    ``HOST:PORT``.  ``folder`` gets the checkpoint and the trained agent.  ``wait_for`` agents,
    this one included, must be there before it begins, within ``meet_s`` seconds.
    """

    name: str = setting("")
    modalities: str = setting("")
    folder: str = setting("")
    certificates: str = setting("")
    federation: str = setting("demo")
    listen: tuple[str, ...] = setting(())
    connect: tuple[str, ...] = setting(())
    wait_for: int = setting(2, at_least=1)
    meet_s: float = setting(600.0, above=0)


@dataclass(frozen=True, kw_only=True)
class AgentFile:
    """One agent's file, checked; paths in it count from where the file lies."""

    run: RunConfig
    node: NodeConfig
    directory: Path

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the agent owns."""
        return modality_set(self.node.modalities)

    @property
    def listen(self) -> tuple[str, ...]:
        """Where it listens: without certificates on loopback only, unless told otherwise."""
        host = "127.0.0.1" if self.run.peer.insecure else "0.0.0.0"  # noqa: S104 - TLS both ways
        return self.node.listen or (f"{host}:{PORT}",)

    @property
    def folder(self) -> Path:
        """Where it keeps what it writes."""
        return self.path(self.node.folder or self.node.name)

    @property
    def certificates(self) -> Path | None:
        """Where its certificates lie; None: it is insecure."""
        return None if self.run.peer.insecure else self.path(self.node.certificates)

    def path(self, text: str) -> Path:
        """Return a path that the file names."""
        return self.directory / text


def load_agent_file(path: Path) -> AgentFile:
    """Read ``AGENT.toml``.

    Raises:
        ConfigError: it cannot be read, or a setting is unknown, missing or cannot be used.
    """
    return read_toml(path, lambda settings: _agent_file(settings, path.parent))


def _agent_file(settings: dict[str, Any], directory: Path) -> AgentFile:
    node = read(NodeConfig, settings.pop("node", {}), "node")
    run = from_settings(settings)
    _check(node, run)
    return AgentFile(run=_of_one(run, node, directory), node=node, directory=directory)


def _of_one(run: RunConfig, node: NodeConfig, directory: Path) -> RunConfig:
    """Return the experiment of this agent alone, a data file's path joined to the directory."""
    group = key(modality_set(node.modalities))
    data = directory / run.data.data
    name = str(data) if data.suffix == ".npz" else run.data.data
    run = run.for_method(run.method)
    return with_values(run, {"agents": f"{group}=1", "data.data": name, "engine": "peers"})


def _check(node: NodeConfig, run: RunConfig) -> None:
    for name in ("name", "modalities"):
        if not getattr(node, name):
            raise ConfigError(
                f"[node] lacks {name}; {command('node', 'init', 'AGENT.toml')} writes a whole file"
            )
    if run.peer.insecure == bool(node.certificates):
        given = "both" if node.certificates else "neither"
        raise ConfigError(
            f"[node] certificates and insecure = true: {given} given; name the folder that "
            f"{command('cert', 'issue')} wrote, or, for trials on one machine only, set insecure = "
            "true"
        )
    for address in (*node.listen, *node.connect):
        host, colon, port = address.rpartition(":")
        number = whole(port)
        if not (host and colon and number is not None and 0 <= number < 65536):
            raise ConfigError(f"{address!r} is no address; write HOST:PORT, as 'site-b:{PORT}'")
    if run.training.dtype == "bfloat16":
        raise ConfigError("dtype 'bfloat16' does not cross the network; use float32 or float64")
    if run.network.split == AUTO:
        raise ConfigError(
            "split 'auto' pools samples of several agents, which sites keep to themselves; write "
            "the ratios that a pilot gave, as split = [1, 1, 1]"
        )
