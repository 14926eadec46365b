"""The command line: a file a command, each with ``add(commands)`` and ``execute(args)``."""

from parse_dfl.cli.entry import main

__all__ = ["main"]
