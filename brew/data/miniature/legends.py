"""What the numbers in the miniature's labels mean."""

from brew.data.miniature.materials import MATERIALS as _ENTRIES
from brew.data.miniature.scene_kinds import SCENE_KINDS

#: Legend of `materials`.
MATERIALS: tuple[str, ...] = tuple(_ENTRIES)
#: Legend of `crops`. Pixels without a crop hold `IGNORE`.
CROPS: tuple[str, ...] = tuple(name for name, entry in _ENTRIES.items() if entry.group == "crop")
IGNORE = 255
#: Legend of `roofs`. Both tiled kinds share one colour, and so do the four grey ones: only their pattern differs.
ROOFS: tuple[str, ...] = (
    "none", "tiled gable", "tiled hip", "grey flat", "grey sawtooth", "grey skylights", "grey solar rows", "metal",
)  # fmt: skip
#: Legend of `change`. Harvest, ploughing, growth and a turbid river are seasons, not changes.
CHANGES: tuple[str, ...] = ("none", "construction", "clearing", "solar field", "flood")
#: Legend of `scene`: the kind of scene that was drawn.
SCENES: tuple[str, ...] = tuple(SCENE_KINDS)
#: Legend of `scene_labels`: groups of materials that cover at least `PRESENT` of the scene.
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(entry.group for entry in _ENTRIES.values()))
PRESENT = 0.02
