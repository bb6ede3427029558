"""Materials of the miniature Earth and their reflectance spectra, as continuous curves between 0.35 and 2.5 um.

Each curve is drawn from a few quantities that a spectroscopist would name. Leaves have chlorophyll absorption around
0.45 and 0.67 um with the green bump between them, a red edge at some position, and a near-infrared plateau. The wings
of the leaf-water bands lower 1.61 and 2.20 um. Soil has brightness and slope, moisture, and a clay band at 2.2 um.
Sediment brightens water, and roofs have a colour step. Two numbers in [0, 1], `vigour` and `moisture`, vary a material
within its class, so that no two parcels need share a spectrum.

`PUBLISHED` states, beside the curves, the ranges in which laboratory and field spectra of such surfaces usually lie.
The ranges are rounded readings of the literature (USGS Spectral Library 7, Kokaly et al. 2017; ECOSTRESS library,
Meerdink et al. 2019), meant for a plausibility check by eye. No curve here was fitted to a library.

Crops coincide in visible light on purpose. They differ only in the red edge and in leaf water, so that a task exists
which no true-colour image can solve.

Left out: directional effects, the atmosphere's own absorption bands, and a sensor's spectral response. Bands are
sampled at their central wavelength.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brew.errors import BrewError, unknown

#: Wavelengths, in um, over which the curves mean anything.
VALID_UM = (0.35, 2.5)


@dataclass(frozen=True)
class Vegetation:
    """A canopy over soil.

    green: height of the green bump. edge_um: inflection of the red edge. plateau: near-infrared reflectance of full
    cover. water: optical depth of leaf water at 1.6 um and beyond, relative to a fresh broad leaf. cover: share of the
    ground that leaves hide at full vigour. visible: reflectance between the pigments' absorptions.
    """

    green: float
    edge_um: float
    plateau: float
    water: float
    cover: float = 0.97
    visible: float = 0.055


@dataclass(frozen=True)
class Soil:
    """Bare ground.

    brightness: dry reflectance at 2 um. clay: depth of the 2.2 um band. wetness: optical depth of soil water, to which
    moisture adds. red: depth of iron's absorption of blue and green light.
    """

    brightness: float
    clay: float
    wetness: float
    red: float = 0.3


@dataclass(frozen=True)
class Water:
    """Open water. sediment: brightness of suspended matter near 0.58 um at full `vigour`."""

    sediment: float


@dataclass(frozen=True)
class Built:
    """A made surface. level: visible reflectance. slope: increase per um. step, step_um: a step in colour (tiles)."""

    level: float
    slope: float
    step: float = 0.0
    step_um: float = 0.59


@dataclass(frozen=True)
class Range:
    """Where published reflectances of such a surface usually lie: band region, wavelength in um, low, high."""

    region: str
    wavelength_um: float
    low: float
    high: float


@dataclass(frozen=True)
class Material:
    """A named surface. group: what a map's legend merges it into. recipe: the parameters of its spectrum."""

    name: str
    group: str
    recipe: Vegetation | Soil | Water | Built


#: Ranges by kind of surface; crops and grass share one. Rounded from the literature, not a fit.
_LEAVES = (
    Range("blue", 0.49, 0.02, 0.08), Range("green", 0.56, 0.04, 0.13), Range("red", 0.665, 0.02, 0.10),
    Range("red edge", 0.74, 0.20, 0.45), Range("near infrared", 0.84, 0.30, 0.60),
    Range("short wave 1", 1.61, 0.14, 0.35), Range("short wave 2", 2.20, 0.05, 0.20),
)  # fmt: skip
_NEEDLES = (
    Range("blue", 0.49, 0.01, 0.04), Range("green", 0.56, 0.02, 0.07), Range("red", 0.665, 0.01, 0.05),
    Range("near infrared", 0.84, 0.15, 0.35), Range("short wave 1", 1.61, 0.06, 0.18),
    Range("short wave 2", 2.20, 0.02, 0.10),
)  # fmt: skip
_DRY_SOIL = (
    Range("blue", 0.49, 0.06, 0.18), Range("green", 0.56, 0.09, 0.24), Range("red", 0.665, 0.12, 0.32),
    Range("near infrared", 0.84, 0.18, 0.40), Range("short wave 1", 1.61, 0.25, 0.50),
    Range("short wave 2", 2.20, 0.20, 0.48),
)  # fmt: skip
_WET_SOIL = (
    Range("green", 0.56, 0.03, 0.12), Range("red", 0.665, 0.05, 0.15), Range("near infrared", 0.84, 0.08, 0.22),
    Range("short wave 1", 1.61, 0.08, 0.25), Range("short wave 2", 2.20, 0.04, 0.20),
)  # fmt: skip
_CLEAR_WATER = (
    Range("blue", 0.49, 0.01, 0.06), Range("green", 0.56, 0.01, 0.06), Range("red", 0.665, 0.0, 0.03),
    Range("near infrared", 0.84, 0.0, 0.02), Range("short wave 1", 1.61, 0.0, 0.01),
)  # fmt: skip
_TURBID_WATER = (
    Range("blue", 0.49, 0.03, 0.10), Range("green", 0.56, 0.06, 0.17), Range("red", 0.665, 0.04, 0.17),
    Range("near infrared", 0.84, 0.01, 0.08), Range("short wave 1", 1.61, 0.0, 0.02),
)  # fmt: skip
_TILES = (
    Range("blue", 0.49, 0.04, 0.12), Range("red", 0.665, 0.12, 0.35), Range("near infrared", 0.84, 0.18, 0.45),
    Range("short wave 1", 1.61, 0.25, 0.50),
)  # fmt: skip
_ASPHALT = (
    Range("blue", 0.49, 0.04, 0.14), Range("red", 0.665, 0.05, 0.17), Range("near infrared", 0.84, 0.06, 0.20),
    Range("short wave 1", 1.61, 0.08, 0.28),
)  # fmt: skip
_CONCRETE = (
    Range("blue", 0.49, 0.12, 0.30), Range("red", 0.665, 0.18, 0.40), Range("near infrared", 0.84, 0.20, 0.45),
    Range("short wave 1", 1.61, 0.22, 0.50),
)  # fmt: skip
_SAND = (
    Range("blue", 0.49, 0.10, 0.30), Range("red", 0.665, 0.22, 0.45), Range("near infrared", 0.84, 0.28, 0.52),
    Range("short wave 1", 1.61, 0.35, 0.65),
)  # fmt: skip

_CROP_GREEN, _CROP_PLATEAU = 0.040, 0.50

_MATERIALS = (
    Material("broadleaf forest", "forest", Vegetation(0.022, 0.721, 0.43, 1.00, 0.97, 0.045)),
    Material("conifer forest", "forest", Vegetation(0.010, 0.718, 0.26, 1.30, 0.98, 0.034)),
    Material("winter wheat", "crop", Vegetation(_CROP_GREEN, 0.713, _CROP_PLATEAU, 0.80)),
    Material("maize", "crop", Vegetation(_CROP_GREEN, 0.719, _CROP_PLATEAU, 0.98)),
    Material("rapeseed", "crop", Vegetation(_CROP_GREEN, 0.725, _CROP_PLATEAU, 0.80)),
    Material("sugar beet", "crop", Vegetation(_CROP_GREEN, 0.724, _CROP_PLATEAU, 1.22)),
    Material("sunflower", "crop", Vegetation(_CROP_GREEN, 0.714, _CROP_PLATEAU, 1.18)),
    Material("grass", "grass", Vegetation(0.048, 0.715, 0.42, 0.70, 0.88)),
    Material("dry bare soil", "bare", Soil(0.42, 0.14, 0.05, 0.22)),
    Material("wet bare soil", "bare", Soil(0.36, 0.08, 0.75, 0.2)),
    Material("clear water", "water", Water(0.02)),
    Material("turbid water", "water", Water(0.13)),
    Material("tile roof", "building", Built(0.085, 0.06, 0.105)),
    Material("metal roof", "building", Built(0.35, -0.03)),
    Material("grey roof", "building", Built(0.19, 0.03)),
    Material("asphalt", "paved", Built(0.085, 0.045)),
    Material("concrete", "paved", Built(0.25, 0.07, 0.03, 0.55)),
    Material("solar panels", "solar", Built(0.075, 0.06, -0.028, 0.53)),
    Material("sand", "bare", Soil(0.58, 0.03, 0.02, 0.2)),
)

MATERIALS: dict[str, Material] = {material.name: material for material in _MATERIALS}

#: Material -> published ranges; none for surfaces too diverse to state one (metal and grey roofs, solar panels).
PUBLISHED: dict[str, tuple[Range, ...]] = {
    "broadleaf forest": _LEAVES, "conifer forest": _NEEDLES, "winter wheat": _LEAVES, "maize": _LEAVES,
    "rapeseed": _LEAVES, "sugar beet": _LEAVES, "sunflower": _LEAVES, "grass": _LEAVES, "dry bare soil": _DRY_SOIL,
    "wet bare soil": _WET_SOIL, "clear water": _CLEAR_WATER, "turbid water": _TURBID_WATER, "tile roof": _TILES,
    "asphalt": _ASPHALT, "concrete": _CONCRETE, "sand": _SAND,
}  # fmt: skip


def reflectance(
    material: str, wavelengths_um: float | Sequence[float] | np.ndarray, vigour: float = 0.7, moisture: float = 0.4
) -> Float[np.ndarray, "..."]:
    """Reflectance in [0, 1] of a material at any wavelengths (um), in the shape of `wavelengths_um`.

    vigour in [0, 1]: cover and chlorophyll of plants (0: half bare), load of sediment in water, brightness of bare
    and made surfaces. moisture in [0, 1]: leaf water, or wetness of ground.
    Raises BrewError for an unknown material, wavelengths outside `VALID_UM`, or a state outside [0, 1].
    """
    if material not in MATERIALS:
        raise unknown("material", material, MATERIALS)
    for name, value in (("vigour", vigour), ("moisture", moisture)):
        if not 0 <= value <= 1:
            raise BrewError(f"{name} is {value}; expected a number in [0, 1]")
    shape = np.shape(wavelengths_um)
    um = np.array(wavelengths_um, dtype=np.float64, ndmin=1)
    if not np.all((um >= VALID_UM[0]) & (um <= VALID_UM[1])):
        raise BrewError(f"wavelengths reach outside {VALID_UM} um; give micrometres within that range")
    recipe = MATERIALS[material].recipe
    if isinstance(recipe, Vegetation):
        curve = _vegetation(um, recipe, vigour, moisture)
    elif isinstance(recipe, Soil):
        curve = _soil(um, recipe, vigour, moisture)
    elif isinstance(recipe, Water):
        curve = _water(um, recipe, vigour)
    else:
        curve = _built(um, recipe, vigour, moisture)
    return curve.reshape(shape)


def _bump(um: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-(((um - centre) / width) ** 2))


def _step(um: np.ndarray, centre: float, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(um - centre) / width))


def _liquid_water(um: np.ndarray) -> np.ndarray:
    """Relative absorption of liquid water: overtones at 0.97, 1.20, 1.45, 1.94 um on wings that rise to 2.5 um."""
    bands = 0.10 * _bump(um, 0.97, 0.03) + 0.22 * _bump(um, 1.20, 0.05) + 1.2 * _bump(um, 1.45, 0.07)
    bands = bands + 1.6 * _bump(um, 1.94, 0.09)
    return bands + 0.75 * _step(um, 1.45, 0.10) + 0.75 * _step(um, 2.05, 0.12)


def _vegetation(um: np.ndarray, plant: Vegetation, vigour: float, moisture: float) -> np.ndarray:
    chlorophyll = 0.55 + 0.45 * vigour
    pigments = 1 - chlorophyll * (0.62 * _bump(um, 0.45, 0.06) + 0.60 * _bump(um, 0.67, 0.035))
    visible = plant.visible * pigments + plant.green * (1.15 - 0.35 * vigour) * _bump(um, 0.555, 0.036)
    # More chlorophyll broadens its absorption and moves the edge to longer wavelengths.
    edge = _step(um, plant.edge_um + 0.009 * (vigour - 0.7), 0.0105)
    infrared = plant.plateau * np.exp(-plant.water * (0.66 + 0.68 * moisture) * _liquid_water(um))
    leaves = visible * (1 - edge) + infrared * edge
    cover = plant.cover * (0.55 + 0.45 * vigour)
    return cover * leaves + (1 - cover) * _soil(um, Soil(0.36, 0.08, 0.2), 0.5, moisture)


def _soil(um: np.ndarray, soil: Soil, vigour: float, moisture: float) -> np.ndarray:
    rising = 1 - np.exp(-(um - 0.22) / 0.55)
    dry = soil.brightness * (0.75 + 0.45 * vigour) * rising * (1 - soil.red * _bump(um, 0.42, 0.16))
    clay = 1 - soil.clay * _bump(um, 2.205, 0.045)
    wetness = soil.wetness + 0.35 * moisture
    return dry * clay * np.exp(-wetness * (0.75 + 0.35 * _liquid_water(um)))


def _water(um: np.ndarray, water: Water, vigour: float) -> np.ndarray:
    clear = 0.034 * np.exp(-(um - 0.44) / 0.11) * _step(um, 0.40, 0.03)
    load = water.sediment * (0.25 + 0.75 * vigour)
    sediment = load * (_bump(um, 0.575, 0.105) + 0.32 * _bump(um, 0.70, 0.06) + 0.22 * _bump(um, 0.81, 0.06))
    return clear + sediment + 0.002


def _built(um: np.ndarray, made: Built, vigour: float, moisture: float) -> np.ndarray:
    curve = made.level + made.slope * (um - 0.5) + made.step * _step(um, made.step_um, 0.025)
    return curve * (0.75 + 0.43 * vigour) * (1.06 - 0.15 * moisture)
