"""What every surface is made of on one date, how its texture looks, and its row of the palette of reflectances.

Seasons change parcels without being a change: fields are harvested or grow, and rivers become turbid. In a year the
calendar says so (`phenology`): leaves hide a share of the ground, and what lies beneath shows through.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from brew.data.miniature.arithmetic import between
from brew.data.miniature.draws import Draws
from brew.data.miniature.legends import CROPS, IGNORE, MATERIALS
from brew.data.miniature.moments import Moment
from brew.data.miniature.phenology import (
    BROADLEAF_SEASON,
    CANOPY,
    GRASS_SEASON,
    PARCEL_SHIFT,
    PLACE_SHIFT,
    Season,
    crop_seasons,
)
from brew.data.miniature.scene_kinds import CROP, FOREST, GRASS, HALLS, HOUSES, SOIL
from brew.data.miniature.spectra import WAVELENGTHS_UM, spectrum
from brew.data.miniature.surfaces import COMMON, LEVELLED, LEVELS, LOTS, PARCELS

#: Material of each kind of roof, in the order of ROOFS.
_ROOF_MATERIAL = ("grey roof", *["tile roof"] * 2, *["grey roof"] * 4, "metal roof")


def _code(name: str) -> int:
    return MATERIALS.index(name)


_CROP_CODES = torch.tensor([_code(name) for name in CROPS])
#: Season of the materials of common surfaces; the others have none.
_COMMON_SEASONS: dict[str, Season] = {"broadleaf forest": BROADLEAF_SEASON, "grass": GRASS_SEASON}


@dataclass(frozen=True)
class _State:
    """Of the parcels or of the common surfaces on one date: number of the material, vigour and moisture.

    cover, beneath: in a year, the share of the ground that the material hides, and the material below it.
    """

    material: Int64[Tensor, "batch surface"]
    vigour: Float[Tensor, "batch surface"]
    moisture: Float[Tensor, "batch surface"]
    cover: Float[Tensor, "batch surface"] | None = None
    beneath: Int64[Tensor, "batch surface"] | None = None


def paint_surfaces(
    draw: Draws, use: Int64[Tensor, "batch parcel"], lot: dict[str, Tensor], conifers: Float[Tensor, "batch 1"],
    moment: Moment,
) -> tuple[dict[str, Tensor], Float[Tensor, "batch row band"]]:  # fmt: skip
    """The looks of all surfaces at one moment, and the palette.

    use: of each parcel on that date. lot: tables of the lots. conifers: the higher, the fewer conifers the woods have.
    Looks are tables (batch, surface): `material`, and the contrast of `crown`, `rough` and `furrow`; `crop` holds a
    number of CROPS or IGNORE. In a year it is the parcel's crop, whether the crop stands or not.
    """
    weather = draw(f"weather/{moment.name}", 4)[:, :, None]
    parcels, common = _parcels(draw, use, conifers, weather, moment), _common(draw, weather, moment)
    lots = draw("paint/lots", 2 * LOTS).view(-1, 2, LOTS)
    roof = torch.tensor([_code(name) for name in _ROOF_MATERIAL])[lot["kind"].long()]
    roofs = spectrum(roof, between(lots[:, 0], 0.15, 0.95), lots[:, 1])
    ground = _ground_spectra(draw, parcels, common)
    palette = torch.cat([ground.reshape(len(use), -1, ground.shape[-1]), roofs], 1)
    shown = _shown(use, parcels)
    crop = _crop_of(shown) if moment.day is None else torch.where(use == CROP, _crops(draw), IGNORE)
    return _looks(use, shown, common.material, roof, crop), palette


def _crops(draw: Draws) -> Int64[Tensor, "batch parcel"]:
    """The crop of each parcel that grows one, as a number of CROPS."""
    return (draw("paint", 7 * PARCELS)[:, :PARCELS] * len(CROPS)).long()


def _shown(use: Tensor, parcels: _State) -> Tensor:
    """The material that covers most of a parcel. A wood without leaves is a wood."""
    if parcels.cover is None or parcels.beneath is None:
        return parcels.material
    return torch.where((use == CROP) & (parcels.cover < 0.5), parcels.beneath, parcels.material)


def _crop_of(material: Tensor) -> Tensor:
    """The crop that a material is, or IGNORE."""
    leafy = torch.isin(material, _CROP_CODES)
    return torch.where(leafy, (material[..., None] == _CROP_CODES).int().argmax(-1), IGNORE)


def _parcels(draw: Draws, use: Tensor, conifers: Tensor, weather: Tensor, moment: Moment) -> _State:
    u = draw("paint", 7 * PARCELS).view(-1, 7, PARCELS)
    season = draw("season", 8 * PARCELS).view(-1, 8, PARCELS)
    crop = (u[:, 0] * len(CROPS)).long()
    dry = u[:, 1] < 0.55
    soil = torch.where(dry, _code("dry bare soil"), _code("wet bare soil"))
    conifer = u[:, 1] < 0.5 - conifers * 0.5
    by_use = torch.stack([
        _CROP_CODES[crop], soil, torch.full_like(soil, _code("grass")),
        torch.where(conifer, _code("conifer forest"), _code("broadleaf forest")), torch.full_like(soil, _code("grass")),
        torch.where(dry, _code("asphalt"), _code("concrete")), torch.full_like(soil, _code("grass")),
    ])  # fmt: skip
    material = by_use.gather(0, use[None])[0]
    low = torch.tensor([0.35, 0.2, 0.3, 0.45, 0.15, 0.1, 0.1])[use]
    vigour = between(u[:, 2], low, torch.tensor([1, 0.9, 0.95, 1, 0.7, 0.6, 0.6])[use])
    moisture = between(u[:, 3], 0.1, 0.9)
    if moment.name == "1":
        # Harvested fields show soil, ploughed ones grow a crop. Everything else gains or loses some vigour.
        harvested = (use == CROP) & (season[:, 0] < 0.35)
        sown = (use == SOIL) & (season[:, 0] < 0.45)
        material = torch.where(harvested, soil, torch.where(sown, _CROP_CODES[crop], material))
        vigour = vigour + (season[:, 1] - 0.5) * 0.4 + (weather[:, 0] - 0.55) * 0.5
        moisture = moisture + (season[:, 2] - 0.5) * 0.3
    # Some places are dry: their grass is thin and yellow, their leaves hold less water.
    drought = draw("climate") * draw("climate")
    vigour = vigour - drought * torch.tensor([0.2, -0.3, 0.75, 0.3, 0.6, -0.3, 0.6])[use]
    moisture = moisture + (weather[:, 1] - 0.5) * 0.4 - drought * 0.25
    if moment.day is None:
        return _State(material, vigour, moisture)
    shift = _shifts(draw) + (season[:, 3] + season[:, 4] - 1) * PARCEL_SHIFT
    day = moment.day - shift
    grass, broadleaf, full = GRASS_SEASON.cover(day), BROADLEAF_SEASON.cover(day), torch.ones_like(day)
    growing = torch.stack([each.cover(day) for each in crop_seasons()]).gather(0, crop[None])[0]
    by_use = torch.stack([growing, full, grass, torch.where(conifer, full, broadleaf), grass, full, grass])
    material = torch.where(use == CROP, _code(CANOPY), material)
    return _State(material, vigour, moisture, by_use.gather(0, use[None])[0], soil)


def _shifts(draw: Draws) -> Float[Tensor, "batch 1"]:
    """Days by which the year comes later in each place."""
    return (draw("season/place") - 0.5) * 2 * PLACE_SHIFT


def _common(draw: Draws, weather: Tensor, moment: Moment) -> _State:
    surfaces = COMMON.values()
    material = torch.tensor([_code(each.material) for each in surfaces]).expand(len(weather), -1).clone()
    vigour = torch.tensor([each.vigour for each in surfaces]) + (draw("paint/common", len(surfaces)) - 0.5) * 0.3
    moisture = torch.tensor([each.moisture for each in surfaces]) + (weather[:, 1] - 0.5) * 0.4
    water = list(COMMON).index("water")
    turbid = draw("paint/turbid")[:, 0] + (weather[:, 2, 0] - 0.5) * 0.3 * (moment.name != "0") < 0.45
    material[:, water] = torch.where(turbid, _code("turbid water"), _code("clear water"))
    vigour[:, water] = between(weather[:, 3, 0], 0.1, 0.9)
    if moment.day is None:
        return _State(material, vigour, moisture)
    day = moment.day - _shifts(draw)
    cover = torch.ones_like(vigour)
    for name, season in _COMMON_SEASONS.items():
        cover = torch.where(material == _code(name), season.cover(day), cover)
    return _State(material, vigour, moisture, cover, torch.full_like(material, _code("dry bare soil")))


def _ground_spectra(draw: Draws, parcels: _State, common: _State) -> Float[Tensor, "batch level surface band"]:
    """Of parcels and common surfaces in every level of vigour, each surface a little off its class."""
    pairs = (
        (parcels.material, common.material), (parcels.vigour, common.vigour), (parcels.moisture, common.moisture),
    )  # fmt: skip
    material, vigour, moisture = (torch.cat(pair, 1)[:, None].expand(-1, LEVELS, -1) for pair in pairs)
    levels = (torch.arange(LEVELS) - 1.0)[None, :, None] * 0.13
    ground = spectrum(material, vigour + levels, moisture)
    if parcels.cover is not None and common.cover is not None:
        assert parcels.beneath is not None and common.beneath is not None
        cover = torch.cat([parcels.cover, common.cover], 1)[:, None, :, None]
        beneath = torch.cat([parcels.beneath, common.beneath], 1)[:, None].expand(-1, LEVELS, -1)
        ground = ground * cover + spectrum(beneath, 0.5 + levels.expand_as(vigour), moisture) * (1 - cover)
    # A parcel differs from its class in brightness and, a little, in slope: varieties, sowing dates, soils beneath.
    own = draw("paint/own", 3 * LEVELLED).view(-1, 1, 3, LEVELLED)
    slope = torch.tensor(WAVELENGTHS_UM) - 0.9
    tint = 1 + (own[:, :, 0, :, None] - 0.5) * 0.26 + (own[:, :, 1, :, None] - 0.5) * 0.16 * slope
    return ground * tint


def _looks(use: Tensor, material: Tensor, common: Tensor, roof: Tensor, crop: Tensor) -> dict[str, Tensor]:
    """Tables by surface. material, common, roof: numbers of the materials of parcels, common surfaces and lots.

    crop: of parcels.
    """
    batch, none = len(use), torch.zeros(len(use), LOTS)
    leafy = torch.isin(material, _CROP_CODES)
    bare = (material == _code("dry bare soil")) | (material == _code("wet bare soil"))
    forest = use == FOREST
    off = torch.full((batch, len(COMMON) + LOTS), float(IGNORE))
    return {
        "material": torch.cat([material, common, roof], 1).float(),
        "crown": torch.cat([
            forest * torch.where(material == _code("conifer forest"), 0.75, 0.55) + (use == GRASS) * 0.10
            + (use == HOUSES) * 0.22,
            torch.tensor([each.crown for each in COMMON.values()]).expand(batch, -1), none], 1),
        "rough": torch.cat([
            0.05 + bare * 0.07 + (use == GRASS) * 0.05 + forest * 0.06 + (use == HALLS) * 0.09,
            torch.tensor([each.rough for each in COMMON.values()]).expand(batch, -1), none + 0.05], 1),
        "furrow": torch.cat([(leafy | bare) * 1.0, torch.zeros(batch, len(COMMON)), none], 1),
        "crop": torch.cat([crop.float(), off], 1),
    }  # fmt: skip
