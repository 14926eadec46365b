"""Run the command line; each command is a module with ``add(commands)``."""

from parse_dfl.cli.entry import main

__all__ = ["main"]
