"""How surfaces are numbered: parcels first, then the common surfaces, then lots.

A surface number is an index into the tables of looks. The palette holds more rows: parcels and common surfaces come in
`LEVELS` levels of vigour. The levels are mixed at the optical grid, so that a field is never one flat colour.
"""

from dataclasses import dataclass

PARCELS, LOTS, LEVELS = 256, 512, 3


@dataclass(frozen=True)
class CommonSurface:
    """A surface that looks the same wherever it occurs in a scene.

    vigour, moisture: state of the material, in [0, 1]. crown: contrast of tree crowns. rough: contrast of the grain.
    """

    material: str
    vigour: float
    moisture: float
    crown: float
    rough: float


COMMON: dict[str, CommonSurface] = {
    "asphalt": CommonSurface("asphalt", 0.55, 0.3, 0.0, 0.10),
    "track": CommonSurface("dry bare soil", 0.5, 0.3, 0.0, 0.16),
    "hedge": CommonSurface("broadleaf forest", 0.75, 0.5, 0.50, 0.10),
    "conifers": CommonSurface("conifer forest", 0.7, 0.5, 0.75, 0.16),
    "broadleaves": CommonSurface("broadleaf forest", 0.75, 0.5, 0.55, 0.10),
    "water": CommonSurface("clear water", 0.5, 0.5, 0.0, 0.03),
    "bank": CommonSurface("sand", 0.45, 0.6, 0.0, 0.08),
    "verge": CommonSurface("grass", 0.6, 0.4, 0.10, 0.12),
    "panels": CommonSurface("solar panels", 0.5, 0.3, 0.0, 0.05),
    "stumps": CommonSurface("dry bare soil", 0.35, 0.5, 0.25, 0.30),
    "garden trees": CommonSurface("broadleaf forest", 0.6, 0.4, 0.50, 0.12),
    "flood": CommonSurface("turbid water", 0.6, 0.9, 0.0, 0.03),
    "marking": CommonSurface("concrete", 0.6, 0.3, 0.0, 0.05),
    "path": CommonSurface("asphalt", 0.8, 0.3, 0.0, 0.15),
}
#: Surface number of each common surface.
NUMBERS: dict[str, int] = {name: PARCELS + place for place, name in enumerate(COMMON)}
#: Surfaces that come in levels: all but the lots.
LEVELLED = PARCELS + len(COMMON)
SURFACES = LEVELLED + LOTS
#: Rows of the palette.
PALETTE = LEVELLED * LEVELS + LOTS
