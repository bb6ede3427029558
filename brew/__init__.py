"""brew: the reproducible compendium of DEO, dual-teacher distillation for multispectral Earth observation.

`brew.load_student(path)` reads a student (ours or the authors' released one), `student(images, sensor="sentinel2")`
gives named features, `brew.embed("scene.tif", student)` those of a whole scene. `brew.describe("scene.tif")` says what
is assumed of the scene, `brew.losses` are pure functions of tensors and numbers.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["describe", "embed", "load_student", "losses"]

# Resolved at first use, so that `import brew.files` does not wait for torch.
_HOMES = {"describe": "brew.data.images.description", "embed": "brew.embedding", "load_student": "brew.models.student"}


def __getattr__(name: str) -> Any:
    if name == "losses":
        return import_module("brew.losses")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'brew' has no attribute {name!r}")
