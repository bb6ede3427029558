"""`python -m brew`: the commands, from a checkout that is not installed."""

import sys

from brew.compendium.lock_copy import keep_before_stage
from brew.compendium.notebooks.kernel import end_with_dvc

if __name__ == "__main__":
    end_with_dvc()
    keep_before_stage()
    from brew.command import main

    sys.exit(main())
