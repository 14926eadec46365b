"""Run the command line by ``python -m parse_dfl``."""

import sys

from parse_dfl.cli import main

if __name__ == "__main__":
    sys.exit(main())
