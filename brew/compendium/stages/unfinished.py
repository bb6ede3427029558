"""Where the checkpoint of an unfinished training lies: its name is what may continue it.

A checkpoint of other code, data or settings would go on with the wrong method, so each has a name of its own.
"""

import hashlib
import json
from pathlib import Path

from brew.files import ROOT, SCRATCH, sha256

#: The code that training runs.
_CODE = ("data", "losses", "models", "pretraining", "views", "randomness.py", "sensors.py")


def checkpoint_of(name: str, *depends_on: object) -> Path:
    """The file of the run of that name. depends_on: beside the code, what JSON can hold."""
    code = {part: sha256(ROOT / "brew" / part) for part in _CODE}
    digest = hashlib.sha256(json.dumps([*depends_on, code], sort_keys=True, default=str).encode()).hexdigest()[:12]
    return SCRATCH / "unfinished" / f"{name}-{digest}.pt"
