"""`python -m mpyc_core`: the same as the commands `mpc` and `mpyc-core`."""

import sys

from mpyc_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
