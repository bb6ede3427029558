"""`python -m brew`: the commands, from a checkout that is not installed."""

import sys

from brew.command import main

if __name__ == "__main__":
    sys.exit(main())
