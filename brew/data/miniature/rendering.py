"""A procedural Earth: scenes of fields, woods, water, towns and solar plants, seen by two sensors on two dates.

A scene is a closed formula of the place, not a list of painted objects. The ground is cut into sectors (their borders
carry roads), each sector into rows and parcels of its own direction, built parcels into lots with one building each;
rivers and lakes are level sets of a distance, woods of a smooth random field. Every surface owns a row of a palette of
reflectances (`brew.data.miniature.materials`) that varies by parcel and by date; crowns, crop rows, roof pitches,
panel rows and shadows modulate it at the optical grid. Both products observe that one fine scene: the optical image
samples it, the multispectral one averages it over 10 m (or 20 m), adds its point spread, and each adds haze and its
own noise.

Reproducible to the byte: each draw is keyed by (seed, scene, purpose), each product's noise by its own stream, so a
further product changes no byte of the others. On a CPU scenes are rendered in blocks of fixed size, so that a scene
alone and the same scene in a batch go through the same arithmetic; images use only operations that IEEE 754 rounds
exactly (no transcendental function at pixel level; small tables are made on the CPU), which is meant to make devices
agree as well: a test compares them where there is a GPU.

Left out: terrain, clouds, mixed pixels' multiple scattering, sensor artefacts, anything seen off nadir, and any claim
that a place like these exists.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int32, Shaped
from torch import Tensor

from brew import randomness
from brew.data.miniature import backscatter, materials
from brew.errors import BrewError, unknown
from brew.sensors import SENSORS

#: Legend of `materials`.
MATERIALS: tuple[str, ...] = tuple(materials.MATERIALS)
#: Legend of `crops`; `IGNORE` elsewhere.
CROPS: tuple[str, ...] = tuple(name for name, entry in materials.MATERIALS.items() if entry.group == "crop")
IGNORE = 255
#: Legend of `roofs`. Both tiled kinds share one colour, and so do the four grey ones: only their pattern differs.
ROOFS: tuple[str, ...] = (
    "none", "tiled gable", "tiled hip", "grey flat", "grey sawtooth", "grey skylights", "grey solar rows", "metal",
)  # fmt: skip
#: Legend of `change`. Harvest, ploughing, growth and a turbid river are seasons, not changes.
CHANGES: tuple[str, ...] = ("none", "construction", "clearing", "solar field", "flood")
#: Legend of `scene`: the layout that was drawn.
SCENES: tuple[str, ...] = (
    "arable", "pasture", "forest", "village", "residential", "industrial", "waterside", "solar",
)  # fmt: skip
#: Legend of `scene_labels`: groups of materials that cover at least `PRESENT` of the scene.
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(entry.group for entry in materials.MATERIALS.values()))
PRESENT = 0.02

PRODUCTS: tuple[str, ...] = (
    "multispectral", "optical", "sar", "materials", "roofs", "crops", "change", "scene", "scene_labels",
)  # fmt: skip

SENTINEL2 = SENSORS["sentinel2"]
#: Metres of a multispectral pixel.
GROUND = 10.0
#: Optical pixels rendered together on a CPU: fixed, so that the batch changes no rounding; few, to stay in the cache.
_BLOCK_PIXELS = 4 * 256**2

# What a parcel is used for.
_USES = ("crop", "soil", "grass", "forest", "houses", "halls", "solar")
_CROP, _SOIL, _GRASS, _FOREST, _HOUSES, _HALLS, _SOLAR = range(len(_USES))


@dataclass(frozen=True)
class _Layout:
    """One kind of scene: what it is made of, lengths in metres as (low, high)."""

    uses: tuple[float, ...]  # probability of each of _USES
    rows: tuple[float, float]  # width of a row of parcels
    parcels: tuple[float, float]  # length of a parcel along its row
    sectors: int  # at most
    streets: tuple[float, float, float, float]  # probability that a row's border is open, track, hedge, lane
    hedges: float  # probability of a hedge along a parcel's sides
    woods: float  # share of woods that ignore parcels, in standard deviations of the field (higher: fewer)
    water: float  # probability of a river or lake
    lake: float  # probability that the water is a lake
    bend: float  # how far roads and borders wander
    road: float  # probability that sector borders carry a road


_LAYOUTS: dict[str, _Layout] = {
    "arable": _Layout(
        (0.74, 0.13, 0.08, 0.03, 0.02, 0.0, 0.0), (80.0, 170.0), (60.0, 200.0), 3,
        (0.45, 0.3, 0.1, 0.15), 0.12, 2.0, 0.15, 0.2, 14.0, 0.8
    ),
    "pasture": _Layout(
        (0.10, 0.03, 0.77, 0.06, 0.04, 0.0, 0.0), (55.0, 110.0), (55.0, 130.0), 4,
        (0.2, 0.1, 0.5, 0.2), 0.65, 1.3, 0.2, 0.3, 20.0, 0.7
    ),
    "forest": _Layout(
        (0.02, 0.03, 0.15, 0.80, 0.0, 0.0, 0.0), (110.0, 200.0), (100.0, 260.0), 3,
        (0.55, 0.35, 0.0, 0.1), 0.0, 0.2, 0.15, 0.5, 26.0, 0.45
    ),
    "village": _Layout(
        (0.30, 0.06, 0.22, 0.06, 0.36, 0.0, 0.0), (62.0, 84.0), (70.0, 150.0), 4,
        (0.1, 0.2, 0.2, 0.5), 0.3, 1.7, 0.15, 0.2, 12.0, 1.0
    ),
    "residential": _Layout(
        (0.0, 0.02, 0.08, 0.03, 0.84, 0.03, 0.0), (60.0, 72.0), (90.0, 160.0), 3,
        (0.0, 0.0, 0.0, 1.0), 0.0, 2.3, 0.1, 0.2, 6.0, 1.0
    ),
    "industrial": _Layout(
        (0.03, 0.08, 0.10, 0.02, 0.05, 0.72, 0.0), (90.0, 140.0), (100.0, 190.0), 2,
        (0.0, 0.0, 0.0, 1.0), 0.0, 2.4, 0.1, 0.1, 0.0, 1.0
    ),
    "waterside": _Layout(
        (0.24, 0.04, 0.42, 0.20, 0.10, 0.0, 0.0), (60.0, 120.0), (60.0, 150.0), 3,
        (0.4, 0.2, 0.2, 0.2), 0.2, 1.1, 1.0, 0.6, 18.0, 0.6
    ),
    "solar": _Layout(
        (0.22, 0.08, 0.24, 0.04, 0.02, 0.0, 0.40), (100.0, 170.0), (110.0, 230.0), 3,
        (0.3, 0.4, 0.15, 0.15), 0.1, 1.9, 0.05, 0.3, 8.0, 0.7
    ),
}  # fmt: skip

# The palette: one row per parcel, per common surface and per lot. Parcels and common surfaces come in three levels of
# vigour, mixed at the optical grid, so that a field is never one flat colour.
_PARCELS, _LOTS, _LEVELS, _SECTORS, _ROWS = 256, 512, 3, 4, 16
_COMMON = (
    "asphalt", "track", "hedge", "conifers", "broadleaves", "water", "bank", "verge", "panels", "stumps",
    "garden trees", "flood", "marking", "path",
)  # fmt: skip
_SPECIAL = {name: _PARCELS + number for number, name in enumerate(_COMMON)}
_LEVELLED = _PARCELS + len(_COMMON)
_SURFACES = _LEVELLED + _LOTS
_PALETTE = _LEVELLED * _LEVELS + _LOTS
#: Material, vigour, moisture, crown contrast, roughness of each common surface.
_COMMON_LOOK: dict[str, tuple[str, float, float, float, float]] = {
    "asphalt": ("asphalt", 0.55, 0.3, 0.0, 0.10), "track": ("dry bare soil", 0.5, 0.3, 0.0, 0.16),
    "hedge": ("broadleaf forest", 0.75, 0.5, 0.50, 0.10), "conifers": ("conifer forest", 0.7, 0.5, 0.75, 0.16),
    "broadleaves": ("broadleaf forest", 0.75, 0.5, 0.55, 0.10), "water": ("clear water", 0.5, 0.5, 0.0, 0.03),
    "bank": ("sand", 0.45, 0.6, 0.0, 0.08), "verge": ("grass", 0.6, 0.4, 0.10, 0.12),
    "panels": ("solar panels", 0.5, 0.3, 0.0, 0.05), "stumps": ("dry bare soil", 0.35, 0.5, 0.25, 0.30),
    "garden trees": ("broadleaf forest", 0.6, 0.4, 0.50, 0.12), "flood": ("turbid water", 0.6, 0.9, 0.0, 0.03),
    "marking": ("concrete", 0.6, 0.3, 0.0, 0.05), "path": ("asphalt", 0.8, 0.3, 0.0, 0.15),
}  # fmt: skip
_ROOF_MATERIAL = ("grey roof", *["tile roof"] * 2, *["grey roof"] * 4, "metal roof")


def render(
    ids: Shaped[Tensor, " batch"],
    seed: int,
    products: Sequence[str] = PRODUCTS,
    size: int = 64,
    optical_ratio: int = 4,
    dates: int = 2,
    device: torch.device | str = "cpu",
) -> dict[str, Tensor]:
    """Render the scenes `ids` (int64) of the world `seed`; only what `products` asks for is computed.

    size: pixels per side at 10 m, a multiple of 8. optical_ratio: optical pixels per multispectral one (2, 4 or 8).
    dates: 1 renders the first date alone, equal in bytes to the first of two. Returns, on `device`:

    multispectral  (batch, dates, 10, size, size) uint16, digital numbers in the order of ``SENSORS["sentinel2"]``
    optical        (batch, dates, 3, size * ratio, size * ratio) uint8, red green blue, 255 = sentinel2's `white`
    sar            (batch, dates, 2, size, size) float32, VV and VH in dB, to a hundredth
    materials      (batch, size, size) uint8, `MATERIALS` covering most of the pixel on the first date
    crops          (batch, size, size) uint8, `CROPS` that fill over half on the first date, else IGNORE
    roofs          (batch, size * ratio, size * ratio) uint8, `ROOFS` on the first date
    change         (batch, size, size) uint8, `CHANGES` between the dates on over half of the pixel
    scene          (batch,) int64, `SCENES`
    scene_labels   (batch, len(GROUPS)) uint8, 1 where a group of materials covers at least PRESENT on the first date

    Raises BrewError for an unknown product, an impossible size, ratio or number of dates, and ids that are not int64.
    """
    _check(ids, products, size, optical_ratio, dates)
    device = torch.device(device)
    budget = _BLOCK_PIXELS if device.type == "cpu" else 128 * _BLOCK_PIXELS
    block = max(1, budget // (size * optical_ratio) ** 2)
    parts = []
    for start in range(0, len(ids), block):
        chosen = ids[start : start + block].cpu()
        count = len(chosen)
        if device.type == "cpu" and count < block:
            chosen = torch.cat([chosen, chosen[-1:].expand(block - count)])
        parts.append({name: value[:count] for name, value in _render_block(
            chosen, seed, tuple(products), size, optical_ratio, dates, device).items()})  # fmt: skip
    return {name: torch.cat([part[name] for part in parts]) for name in products}


def _check(ids: Tensor, products: Sequence[str], size: int, ratio: int, dates: int) -> None:
    for name in products:
        if name not in PRODUCTS:
            raise unknown("product", name, PRODUCTS)
    if ids.dtype != torch.int64 or ids.ndim != 1 or len(ids) == 0:
        raise BrewError(
            f"ids are {ids.dtype} of shape {tuple(ids.shape)}; expected at least one int64 in one dimension"
        )
    if size < 16 or size % 8:
        raise BrewError(f"size is {size}; expected a multiple of 8, at least 16")
    if ratio not in (2, 4, 8):
        raise BrewError(f"optical_ratio is {ratio}; expected 2, 4 or 8")
    if dates not in (1, 2):
        raise BrewError(f"dates is {dates}; expected 1 or 2")
    if "change" in products and dates != 2:
        raise BrewError("change needs two dates, found dates=1; ask for dates=2 or leave change out")


def _render_block(
    ids: Tensor, seed: int, products: tuple[str, ...], size: int, ratio: int, dates: int, device: torch.device
) -> dict[str, Tensor]:
    draw = _Draws(seed, ids)
    plan = _plan(draw, size, dates)
    images: dict[str, list[Tensor]] = {"multispectral": [], "optical": [], "sar": []}
    result: dict[str, Tensor] = {"scene": plan.scene.to(device)}
    if set(products) - {"scene"}:
        grid = _Grid(size, ratio, device)
        ground = _ground(plan, grid, draw)
        surfaces = [_surface(plan, ground, grid, draw, date) for date in range(dates)]
        for date, surface in enumerate(surfaces):
            if set(products) & {"multispectral", "optical"}:
                light = _light(draw, grid, surface, ground, plan, date)
                if "optical" in products:
                    images["optical"].append(_optical(light, grid, draw, date))
                if "multispectral" in products:
                    images["multispectral"].append(_multispectral(light, grid, draw, date))
            if "sar" in products:
                images["sar"].append(_sar(surface, plan, grid, draw, date))
        result |= {name: torch.stack(parts, 1) for name, parts in images.items() if parts}
        result |= _labels(products, plan, ground, grid, surfaces)
    return {name: result[name] for name in products}


# --- randomness and small helpers -----------------------------------------------------------------


class _Draws:
    """Keyed uniform draws of a block of scenes; always made on the CPU, where the small tables are."""

    def __init__(self, seed: int, ids: Tensor) -> None:
        self.seed, self.ids = seed, ids

    def __call__(self, stream: str, count: int = 1) -> Float[Tensor, "batch count"]:
        return randomness.uniform(self.seed, 0, self.ids, f"miniature/{stream}", count)

    def grain(self, stream: str, count: int, device: torch.device) -> Int32[Tensor, "batch count"]:
        """32 random bits per pixel: a 32-bit counter hash (Wellons' lowbias32), which costs a twentieth of 64 bits."""
        halves = (self(f"{stream}/grain", 2) * 65536).to(torch.int32).to(device)
        bits = torch.arange(count, dtype=torch.int32, device=device) * -1640531535
        bits = bits + (halves[:, :1] * 65536 + halves[:, 1:])
        bits = (bits ^ (bits >> 16 & 0xFFFF)) * 0x7FEB352D
        bits = (bits ^ (bits >> 15 & 0x1FFFF)) * (0x846CA68B - (1 << 32))
        return bits ^ (bits >> 16 & 0xFFFF)


class _Grid:
    """The optical grid: pixels per side, metres from the scene's centre (x to the east, y to the south)."""

    def __init__(self, size: int, ratio: int, device: torch.device) -> None:
        self.size, self.ratio, self.device = size, ratio, device
        self.pixels = size * ratio
        self.step = GROUND / ratio
        axis = (torch.arange(self.pixels, device=device) + 0.5) * self.step - size * GROUND / 2
        self.x, self.y = axis[None, None, :], axis[None, :, None]

    def average(self, fine: Float[Tensor, "batch fine_y fine_x"], by: int) -> Float[Tensor, "batch y x"]:
        """Mean over by x by pixels, summed in a fixed order."""
        wide = fine[:, :, 0::by] + fine[:, :, 1::by]
        for i in range(2, by):
            wide += fine[:, :, i::by]
        mean = wide[:, 0::by] + wide[:, 1::by]
        for i in range(2, by):
            mean += wide[:, i::by]
        return mean.mul_(1 / by**2)

    def field(self, draw: _Draws, stream: str, metres: int) -> Float[Tensor, "batch fine_y fine_x"]:
        """A smooth random field (quadratic B-spline of draws every `metres`), about mean 0 and deviation 1."""
        cells = round(self.size * GROUND / metres)
        knots = draw(stream, (cells + 2) ** 2).to(self.device).view(-1, cells + 2, cells + 2)
        knots = (knots - 0.5) * 6.3
        inner = self.pixels // cells
        t = (torch.arange(inner, device=self.device) + 0.5) / inner
        weights = ((1 - t) * (1 - t) * 0.5, 0.75 - (t - 0.5) * (t - 0.5), t * t * 0.5)
        rows = _total(knots[:, i : i + cells, None, :] * w[:, None] for i, w in enumerate(weights))
        rows = rows.reshape(-1, self.pixels, cells + 2)
        both = _total(rows[:, :, i : i + cells, None] * w for i, w in enumerate(weights))
        return both.reshape(-1, self.pixels, self.pixels)


class _Lookup:
    """Reads many tables (batch, entries) at one index image."""

    def __init__(self, index: Float[Tensor, "batch y x"], entries: int) -> None:
        self.shape = index.shape
        start = torch.arange(len(index), device=index.device, dtype=torch.int32) * entries
        self.flat = (index.to(torch.int32) + start[:, None, None]).view(-1)

    def __call__(self, table: Tensor) -> Tensor:
        return table.to(self.flat.device).reshape(-1).index_select(0, self.flat).view(self.shape)


def _total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of fresh tensors, in order, in the memory of the first."""
    first, *others = terms
    for term in others:
        first += term
    return first


def _where(positive: Tensor) -> Tensor:
    """1.0 where positive, else 0.0. Masks are floats throughout: several times faster than booleans on a CPU."""
    return torch.sign(positive).clamp_min_(0)


def _put(base: Tensor, mask: Tensor, value: Tensor | float) -> Tensor:
    """`value` where the mask is 1, `base` where it is 0, both exactly."""
    if not isinstance(value, Tensor):
        value = base.new_full((1, 1, 1), value)
    return torch.lerp(base, value, mask)


def _modulo(value: Tensor, by: int) -> Tensor:
    return value - torch.floor(value * (1 / by)) * by


def _triangle(phase: Tensor) -> Tensor:
    """A wave of period 1 and mean 0 between -1 and 1."""
    return phase.frac().abs_().sub_(0.5).abs_().mul_(4).sub_(1)


def _between(uniform: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    return low + uniform * (high - low)


def _choose(uniform: Tensor, probabilities: Tensor) -> Tensor:
    """Index into the last dimension of `probabilities` (..., options), by inversion of `uniform` (...)."""
    edges = probabilities.cumsum(-1)
    return (uniform[..., None] * edges[..., -1:] >= edges[..., :-1]).sum(-1)


# --- the plan: small tables, on the CPU -----------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """What was drawn for each scene of a block. Tables are (batch, entries); lengths in metres."""

    scene: Tensor
    bend: Tensor
    sites: Tensor  # (batch, sectors, 2)
    sector: dict[str, Tensor]  # by sector
    row: dict[str, Tensor]  # by sector and row
    parcel: dict[str, Tensor]  # by parcel
    lot: dict[str, Tensor]  # by lot
    one: dict[str, Tensor]  # (batch, 1, 1) numbers of the scene
    uses: tuple[Tensor, Tensor]  # use of each parcel on each date
    palettes: tuple[Tensor, ...]  # (batch, palette, band) reflectance on each date
    looks: tuple[dict[str, Tensor], ...]  # by surface: material, crown, rough, furrow, crop, roof


def _plan(draw: _Draws, size: int, dates: int) -> _Plan:
    layouts = tuple(_LAYOUTS.values())
    scene = (draw("scene")[:, 0] * len(SCENES)).long()

    def of(name: str) -> Tensor:
        return torch.tensor([getattr(layout, name) for layout in layouts], dtype=torch.float32)[scene]

    batch, half = len(scene), size * GROUND / 2
    sector = _plan_sectors(draw, of)
    u = draw("sites", 3 * _SECTORS).view(batch, _SECTORS, 3)
    angle = (torch.arange(_SECTORS) + u[..., 0] * 0.7 + draw("sites/turn")) * (2 * np.pi / _SECTORS)
    reach = _between(u[..., 1], 0.45, 1.0) * half
    active = torch.arange(_SECTORS) < 1 + (draw("sites/count") * of("sectors")[:, None]).floor()
    reach = torch.where(active, reach, 1e4)
    sites = torch.stack([angle.cos() * reach, angle.sin() * reach], -1)

    u = draw("rows", 4 * _SECTORS * _ROWS).view(batch, 4, -1)
    parcels = of("parcels")
    streets = _choose(u[:, 3], of("streets")[:, None])
    urban = (of("streets")[:, 3:] > 0.99).float()
    row = {
        "width": _between(u[:, 0], parcels[:, :1], parcels[:, 1:]),
        "shift": u[:, 1] * 500,
        "slant": (u[:, 2] - 0.5) * 40 * (1 - urban),
        # An open border is a furrow's width of grass; tracks, hedges and lanes are wider.
        "border": torch.tensor([1.2, 1.8, 3.5, 2.6])[streets] + urban * _between(u[:, 1], 1.2, 3.2),
        "border surface": torch.tensor([_SPECIAL[n] for n in ("verge", "track", "hedge", "asphalt")])[streets].float(),
    }
    one = {name: value[:, None, None] for name, value in _plan_water(draw, of, half).items()}
    one |= {
        "urban": urban[:, :, None],
        "woods": (of("woods") + _between(draw("woods")[:, 0], -0.5, 0.5))[:, None, None],
        "conifers": _between(draw("conifers")[:, 0], -1.5, 1.5)[:, None, None],
        "road": torch.where(
            draw("road")[:, 0] < of("road"), _between(draw("road/width")[:, 0], 3.2, 6.5) + urban[:, 0] * 2, -1.0
        )[:, None, None],
    }
    uses = _plan_uses(draw, of("uses"))
    parcel = _plan_parcels(draw, of, urban)
    lot = _plan_lots(draw)
    painted = [_paint(draw, uses, lot, one, date) for date in range(dates)]
    palettes, looks = tuple(palette for _, palette in painted), tuple(look for look, _ in painted)
    return _Plan(scene, of("bend"), sites, sector, row, parcel, lot, one, uses, palettes, looks)


def _plan_sectors(draw: _Draws, of: Callable[[str], Tensor]) -> dict[str, Tensor]:
    u = draw("sectors", 4 * _SECTORS).view(-1, 4, _SECTORS)
    angle = (u[:, 0] * np.pi + draw("sectors/turn") * np.pi) * 0.5
    rows = of("rows")
    return {
        "cos": angle.cos(), "sin": angle.sin(), "along": u[:, 1] * 1000, "across": u[:, 2] * 1000,
        "depth": _between(u[:, 3], rows[:, :1], rows[:, 1:]),
    }  # fmt: skip


def _plan_water(draw: _Draws, of: Callable[[str], Tensor], half: float) -> dict[str, Tensor]:
    u = draw("water", 12)
    present, lake = u[:, 0] < of("water"), u[:, 1] < of("lake")
    angle, bearing = u[:, 2] * 2 * np.pi, u[:, 3] * 2 * np.pi
    away = _between(u[:, 4], 0.2, 1.1) * half
    river = _between(u[:, 5] * u[:, 5], 7.0, 42.0)
    flood = (_change_kind(draw) == CHANGES.index("flood")).float() * _between(u[:, 11], 14.0, 40.0)
    return {
        "lake": (lake & present).float(), "river": (~lake & present).float(),
        "lake x": bearing.cos() * away, "lake y": bearing.sin() * away,
        "lake radius": _between(u[:, 6], 0.35, 1.0) * half * 0.9, "cos": angle.cos(), "sin": angle.sin(),
        "river half": river, "river offset": (u[:, 7] - 0.5) * half, "meander": _between(u[:, 8], 10.0, 60.0),
        "meander length": _between(u[:, 9], 250.0, 600.0), "meander phase": u[:, 10], "flood": flood,
    }  # fmt: skip


def _change_kind(draw: _Draws) -> Tensor:
    """What happens to a scene between the dates, if the scene offers it: an index into CHANGES."""
    return _choose(draw("change/kind")[:, 0], torch.tensor([0.30, 0.26, 0.18, 0.14, 0.12]))


def _plan_uses(draw: _Draws, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    before = _choose(draw("uses", _PARCELS), probabilities[:, None])
    kind, struck = _change_kind(draw)[:, None], draw("change/parcels", _PARCELS)
    open_land = before <= _GRASS
    built = torch.where(draw("change/built", _PARCELS) < 0.6, _HOUSES, _HALLS)
    after = torch.where((kind == 1) & open_land & (struck < 0.22), built, before)
    after = torch.where((kind == 3) & open_land & (struck < 0.2), _SOLAR, after)
    return before, after


def _plan_parcels(draw: _Draws, of: Callable[[str], Tensor], urban: Tensor) -> dict[str, Tensor]:
    u = draw("parcels", 6 * _PARCELS).view(-1, 6, _PARCELS)
    hedge = (u[:, 0] < of("hedges")[:, None]).float()
    cleared = (_change_kind(draw)[:, None] == CHANGES.index("clearing")) & (u[:, 1] < 0.3)
    side = torch.tensor([_SPECIAL[name] for name in ("verge", "hedge", "asphalt")])
    return {
        "side": (1.0 + 2.4 * hedge) * (1 - urban) + 3.6 * urban,
        "side surface": side[(hedge * (1 - urban) + 2 * urban).long()].float(),
        "cleared": cleared.float(),
        "turned": (u[:, 2] < 0.3).float(),
        "row frequency": 1 / _between(u[:, 3], 5.6, 9.0),
        "furrow": _between(u[:, 4], 0.02, 0.15),
        "panel frequency": 1 / _between(u[:, 5], 7.5, 10.0),
    }


def _plan_lots(draw: _Draws) -> dict[str, Tensor]:
    """Lots 0-255 hold houses, 256-511 halls. Sizes are shares of the lot."""
    u = draw("lots", 8 * _LOTS).view(-1, 8, _LOTS)
    hall = (torch.arange(_LOTS) >= _LOTS // 2).float()
    houses = _choose(u[:, 0], torch.tensor([0, 0.46, 0.42, 0.08, 0.0, 0.0, 0.04, 0.0]))
    halls = _choose(u[:, 0], torch.tensor([0, 0.03, 0.03, 0.2, 0.2, 0.2, 0.2, 0.14]))
    standing = u[:, 1] < 0.9 - 0.08 * hall
    infill = (_change_kind(draw)[:, None] == 1) & (u[:, 2] < 0.3)
    return {
        "kind": torch.where(hall > 0, halls, houses).float(),
        "stands 0": (standing & ~infill).float(),
        "stands 1": standing.float(),
        "wide": _between(u[:, 3], 0.26 + 0.04 * hall, 0.38 + 0.07 * hall),
        "deep": _between(u[:, 4], 0.17 + 0.09 * hall, 0.27 + 0.13 * hall),
        "shift u": (u[:, 5] - 0.5) * 0.16 * (1 - hall),
        "shift v": (u[:, 6] - 0.5) * 0.2 * (1 - hall),
        "height": _between(u[:, 7], 5.0, 9.0) + 3 * hall,
    }


# --- colours --------------------------------------------------------------------------------------

_VIGOURS, _MOISTURES = 9, 5


@cache
def _spectra() -> Float[Tensor, "material vigour moisture band"]:
    """Reflectance of every material at Sentinel-2's bands over a lattice of its two states."""
    table = [
        [[materials.reflectance(name, SENTINEL2.wavelengths_um, v, m) for m in np.linspace(0, 1, _MOISTURES)]
         for v in np.linspace(0, 1, _VIGOURS)]
        for name in MATERIALS
    ]  # fmt: skip
    return torch.from_numpy(np.array(table, dtype=np.float32))


def _spectrum(material: Tensor, vigour: Tensor, moisture: Tensor) -> Float[Tensor, "... band"]:
    """`_spectra` interpolated linearly in both states."""
    table = _spectra()
    bands = table.shape[-1]
    v = vigour.clamp(0, 1) * (_VIGOURS - 1)
    m = moisture.clamp(0, 1) * (_MOISTURES - 1)
    v0, m0 = v.floor().clamp_max(_VIGOURS - 2), m.floor().clamp_max(_MOISTURES - 2)
    fv, fm = (v - v0)[..., None], (m - m0)[..., None]
    index = (material.long() * _VIGOURS + v0.long()) * _MOISTURES + m0.long()
    flat = table.view(-1, bands)

    def at(offset: int) -> Tensor:
        return flat.index_select(0, (index + offset).view(-1)).view(*index.shape, bands)

    low = at(0) * (1 - fm) + at(1) * fm
    high = at(_MOISTURES) * (1 - fm) + at(_MOISTURES + 1) * fm
    return low * (1 - fv) + high * fv


def _code(name: str) -> int:
    return MATERIALS.index(name)


_CROP_CODES = torch.tensor([_code(name) for name in CROPS])


def _paint(
    draw: _Draws, uses: tuple[Tensor, Tensor], lot: dict[str, Tensor], one: dict[str, Tensor], date: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Material, texture and palette of every surface on one date. Seasons change parcels without being a change."""
    use, batch = uses[date], len(uses[0])
    u = draw("paint", 7 * _PARCELS).view(batch, 7, _PARCELS)
    season = draw("season", 8 * _PARCELS).view(batch, 8, _PARCELS)
    weather = draw(f"weather/{date}", 4)[:, :, None]
    crop = (u[:, 0] * len(CROPS)).long()
    dry = u[:, 1] < 0.55
    soil = torch.where(dry, _code("dry bare soil"), _code("wet bare soil"))
    conifer = u[:, 1] < 0.5 - one["conifers"][:, 0] * 0.5
    by_use = torch.stack([
        _CROP_CODES[crop], soil, torch.full_like(soil, _code("grass")),
        torch.where(conifer, _code("conifer forest"), _code("broadleaf forest")), torch.full_like(soil, _code("grass")),
        torch.where(dry, _code("asphalt"), _code("concrete")), torch.full_like(soil, _code("grass")),
    ])  # fmt: skip
    material = by_use.gather(0, use[None])[0]
    low = torch.tensor([0.35, 0.2, 0.3, 0.45, 0.15, 0.1, 0.1])[use]
    vigour = _between(u[:, 2], low, torch.tensor([1, 0.9, 0.95, 1, 0.7, 0.6, 0.6])[use])
    moisture = _between(u[:, 3], 0.1, 0.9)
    if date == 1:
        # Harvested fields show soil, ploughed ones grow a crop; everything else gains or loses some vigour.
        harvested = (use == _CROP) & (season[:, 0] < 0.35)
        sown = (use == _SOIL) & (season[:, 0] < 0.45)
        material = torch.where(harvested, soil, torch.where(sown, _CROP_CODES[crop], material))
        vigour = vigour + (season[:, 1] - 0.5) * 0.4 + (weather[:, 0] - 0.55) * 0.5
        moisture = moisture + (season[:, 2] - 0.5) * 0.3
    # Some places are dry: their grass is thin and yellow, their leaves hold less water.
    drought = draw("climate") * draw("climate")
    vigour = vigour - drought * torch.tensor([0.2, -0.3, 0.75, 0.3, 0.6, -0.3, 0.6])[use]
    moisture = moisture + (weather[:, 1] - 0.5) * 0.4 - drought * 0.25
    look = [_COMMON_LOOK[name] for name in _COMMON]
    common = torch.tensor([_code(entry[0]) for entry in look]).expand(batch, -1).clone()
    v = torch.tensor([entry[1] for entry in look]) + (draw("paint/common", len(look)) - 0.5) * 0.3
    m = torch.tensor([entry[2] for entry in look]) + (weather[:, 1] - 0.5) * 0.4
    water = _COMMON.index("water")
    turbid = draw("paint/turbid")[:, 0] + (weather[:, 2, 0] - 0.5) * 0.3 * date < 0.45
    common[:, water] = torch.where(turbid, _code("turbid water"), _code("clear water"))
    v[:, water] = _between(weather[:, 3, 0], 0.1, 0.9)

    levels = (torch.arange(_LEVELS) - 1.0)[None, :, None] * 0.13
    material_levelled, vigour_levelled, moisture_levelled = (
        torch.cat(pair, 1)[:, None].expand(-1, _LEVELS, -1) for pair in ((material, common), (vigour, v), (moisture, m))
    )
    ground = _spectrum(material_levelled, vigour_levelled + levels, moisture_levelled)
    # A parcel differs from its class in brightness and, a little, in slope: varieties, sowing dates, soils beneath.
    own = draw("paint/own", 3 * _LEVELLED).view(batch, 1, 3, _LEVELLED)
    slope = torch.tensor(SENTINEL2.wavelengths_um) - 0.9
    tint = 1 + (own[:, :, 0, :, None] - 0.5) * 0.26 + (own[:, :, 1, :, None] - 0.5) * 0.16 * slope
    ground = ground * tint

    lots = draw("paint/lots", 2 * _LOTS).view(batch, 2, _LOTS)
    roof = torch.tensor([_code(name) for name in _ROOF_MATERIAL])[lot["kind"].long()]
    roofs = _spectrum(roof, _between(lots[:, 0], 0.15, 0.95), lots[:, 1])
    palette = torch.cat([ground.reshape(batch, -1, ground.shape[-1]), roofs], 1)

    leafy = torch.isin(material, _CROP_CODES)
    bare = (material == _code("dry bare soil")) | (material == _code("wet bare soil"))
    forest = use == _FOREST
    none = torch.zeros(batch, _LOTS)
    number = torch.where(leafy, (material[..., None] == _CROP_CODES).int().argmax(-1), IGNORE)
    off = torch.full((batch, len(look) + _LOTS), float(IGNORE))
    return {
        "material": torch.cat([material, common, roof], 1).float(),
        "crown": torch.cat([
            forest * torch.where(material == _code("conifer forest"), 0.75, 0.55) + (use == _GRASS) * 0.10
            + (use == _HOUSES) * 0.22, torch.tensor([entry[3] for entry in look]).expand(batch, -1), none], 1),
        "rough": torch.cat([
            0.05 + bare * 0.07 + (use == _GRASS) * 0.05 + forest * 0.06 + (use == _HALLS) * 0.09,
            torch.tensor([entry[4] for entry in look]).expand(batch, -1), none + 0.05], 1),
        "furrow": torch.cat([(leafy | bare) * 1.0, torch.zeros(batch, len(look)), none], 1),
        "crop": torch.cat([number.float(), off], 1),
    }, palette  # fmt: skip


# --- the ground: what both dates share ------------------------------------------------------------


@dataclass(frozen=True)
class _Lots:
    """Position within the lot of a built parcel for one way to divide it, as images; lengths in metres."""

    number: Tensor
    u: Tensor  # along the sector's rows, from the building's centre
    v: Tensor
    beyond_u: Tensor  # metres outside the building's outline, negative inside
    beyond_v: Tensor
    inside: Tensor  # 1.0 within the lots of the parcel, 0.0 on its border
    look: _Lookup


@dataclass(frozen=True)
class _Ground:
    """Where things are, as images (batch, fine y, fine x); masks are 0.0 or 1.0, lengths in metres."""

    parcels: _Lookup
    parcel: Tensor
    border: Tensor  # surface of the border here, or -1
    road: Tensor
    marking: Tensor
    along: Tensor  # position in the sector's frame
    across: Tensor
    cos: Tensor
    sin: Tensor
    inner: tuple[Tensor, Tensor]  # share of the parcel along and across, without its borders
    extent: tuple[Tensor, Tensor]  # metres of the same
    shore: Tensor  # metres from open water, negative inside
    wood: Tensor
    conifers: Tensor
    canopy: Tensor
    relief: Tensor  # the canopy's light and shade
    level: Tensor  # of vigour: 0, 1, 2
    patches: Tensor
    grain: Tensor  # between -1 and 1, per pixel


def _ground(plan: _Plan, grid: _Grid, draw: _Draws) -> _Ground:
    one = {name: value.to(grid.device) for name, value in plan.one.items()}
    bits = draw.grain("ground", grid.pixels**2, grid.device).view(-1, grid.pixels, grid.pixels)
    grain = (bits & 0xFFFF).to(torch.float32) * (2 / 65535) - 1
    broad, middle = grid.field(draw, "broad", 80), grid.field(draw, "middle", 20)

    bend = plan.bend[:, None, None].to(grid.device)
    x = grid.x + grid.field(draw, "bend/x", 80) * bend * 0.5
    y = grid.y + grid.field(draw, "bend/y", 80) * bend * 0.5
    sector, edge = _nearest_site(plan.sites.to(grid.device), x, y)
    road = _where(one["road"] - edge)
    marking = _where(0.8 - edge) * _where(one["road"] - 6.5) * _where(_triangle(x * 0.045 + y * 0.045) - 0.1)

    by_sector = _Lookup(sector, _SECTORS)
    cos, sin = by_sector(plan.sector["cos"]), by_sector(plan.sector["sin"])
    depth = by_sector(plan.sector["depth"])
    along = x * cos + y * sin + by_sector(plan.sector["along"])
    across = y * cos - x * sin + by_sector(plan.sector["across"])
    in_row = across / depth
    row = torch.floor(in_row)
    in_row = in_row - row
    by_row = _Lookup(sector * _ROWS + _modulo(row, _ROWS), _SECTORS * _ROWS)
    width = by_row(plan.row["width"])
    in_parcel = (along + by_row(plan.row["shift"]) + by_row(plan.row["slant"]) * (in_row - 0.5)) / width
    column = torch.floor(in_parcel)
    in_parcel = in_parcel - column
    parcel = _modulo(sector * 61 + row * 29 + column * 11, _PARCELS)
    parcels = _Lookup(parcel, _PARCELS)

    # Borders: across the rows they belong to the row's edge and lie on both sides of it, along them to the parcel.
    near = torch.floor(across / depth + 0.5)
    by_border = _Lookup(sector * _ROWS + _modulo(near, _ROWS), _SECTORS * _ROWS)
    ragged = middle * 0.35 * (1 - one["urban"])
    to_row = (0.5 - (in_row - 0.5).abs()) * depth + ragged
    to_side = (0.5 - (in_parcel - 0.5).abs()) * width + ragged
    border = _put(torch.full_like(parcel, -1.0), _where(parcels(plan.parcel["side"]) - to_side),
                  parcels(plan.parcel["side surface"]))  # fmt: skip
    border = _put(border, _where(by_border(plan.row["border"]) - to_row), by_border(plan.row["border surface"]))
    verge = _where(one["road"]) * _where(one["road"] + 3 - edge) * (1 - one["urban"])
    border = _put(border, verge, float(_SPECIAL["verge"]))

    margin = 4.0 + one["urban"] * 2.0
    extent = (width - 2 * margin, depth - 2 * margin)
    inner = ((in_parcel * width - margin) / extent[0], (in_row * depth - margin) / extent[1])

    canopy = grid.field(draw, "crowns/5", 5) * 0.5 + grid.field(draw, "crowns/10", 10) * 0.5
    relief = (canopy - _toward_sun(canopy, 1)).mul_(0.55).add_(canopy * 0.22)
    woodland = broad + middle * 0.35 + canopy * 0.12
    patches = grid.field(draw, "patches", 40)
    level = torch.floor((patches * 0.55 + middle * 0.25 + grain * 0.7 + 1.5).clamp_(0, 2.99))
    return _Ground(
        parcels, parcel, border, road, marking, along, across, cos, sin, inner, extent,
        _shore(one, grid, broad, middle), _where(woodland - one["woods"]),
        _where(patches + grain * 0.25 - one["conifers"]), canopy, relief, level, patches, grain,
    )  # fmt: skip


def _nearest_site(sites: Float[Tensor, "batch sectors 2"], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest site and the distance, in metres, to the border between it and any other."""
    sx, sy = sites[..., 0, None, None], sites[..., 1, None, None]
    # |p - s|^2 without its common term: larger is nearer.
    scores = [x * (2 * sx[:, k]) + (y * (2 * sy[:, k]) - (sx[:, k] * sx[:, k] + sy[:, k] * sy[:, k]))
              for k in range(_SECTORS)]  # fmt: skip
    best, sector = scores[0], torch.zeros_like(scores[0])
    for k in range(1, _SECTORS):
        sector = _put(sector, _where(scores[k] - best), float(k))
        best = torch.maximum(best, scores[k])
    look = _Lookup(sector, _SECTORS)
    edge = torch.full_like(best, 1e6)
    for k in range(_SECTORS):
        apart = (sites - sites[:, k : k + 1]).square().sum(-1).sqrt()
        own = apart < 1
        distance = (best - scores[k]) * look(torch.where(own, 0.0, 0.5 / apart.clamp_min(1))) + look(own * 1e6)
        edge = torch.minimum(edge, distance)
    return sector, edge


def _shore(one: dict[str, Tensor], grid: _Grid, broad: Tensor, middle: Tensor) -> Tensor:
    """Metres to the water line on the first date, negative in the water; large where a scene has no water."""
    lx, ly = grid.x - one["lake x"], grid.y - one["lake y"]
    lake = (lx * lx + ly * ly).sqrt() - one["lake radius"] * (1 + broad * 0.16)
    along, across = grid.x * one["cos"] + grid.y * one["sin"], grid.y * one["cos"] - grid.x * one["sin"]
    wave = _triangle(along / one["meander length"] + one["meander phase"])
    bend = wave * (2 - wave.abs())
    river = (across - one["river offset"] - bend * one["meander"] - broad * 16).abs() - one["river half"]
    dry = 1e4 * (1 - one["lake"] - one["river"])
    return lake * one["lake"] + river * one["river"] + dry + middle * 1.6


def _toward_sun(image: Tensor, pixels: int) -> Tensor:
    """The image's value `pixels` further to the south-east, where Sentinel-2's morning sun stands in the north."""
    moved = image.clone()
    moved[:, :-pixels, :-pixels] = image[:, pixels:, pixels:]
    return moved


# --- the surface on one date ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Surface:
    """What covers the ground on one date: images (batch, fine y, fine x)."""

    index: Tensor  # surface: parcel, common surface or lot
    look: _Lookup
    shade: Tensor  # brightness relative to the palette
    roof: Tensor  # ROOFS
    use: Tensor
    wet: Tensor
    wooded: Tensor
    cleared: Tensor


def _surface(plan: _Plan, ground: _Ground, grid: _Grid, draw: _Draws, date: int) -> _Surface:
    one = {name: value.to(grid.device) for name, value in plan.one.items()}
    use = ground.parcels(plan.uses[date].float())
    built = _where(use - _FOREST) * _where(_SOLAR - use)
    index = ground.parcel

    # Trees that ignore parcels: woods, and crowns in gardens where the canopy stands out.
    wood = ground.wood * (1 - _where(use - _FOREST))
    kind = _SPECIAL["broadleaves"] + ground.conifers * (_SPECIAL["conifers"] - _SPECIAL["broadleaves"])
    index = _put(index, wood, kind)
    gardens = _equal(use, _HOUSES)
    index = _put(index, gardens * _where(ground.canopy - 0.75), float(_SPECIAL["garden trees"]))
    wooded = torch.maximum(wood, _equal(use, _FOREST))

    lots = _lots(plan, ground, use)
    sun = _sun(draw, date).to(grid.device)
    kind, roof_shade, building, shadow = _buildings(plan, ground, lots, sun, built, date)
    vehicles = _equal(use, _HALLS) * _where(ground.grain - 0.965)
    index = _put(index, vehicles, float(_SPECIAL["marking"]))
    drive = gardens * lots.inside * _where(1.3 - (lots.u - 6).abs()) * _where(lots.v) * _where(lots.beyond_v)
    index = _put(index, drive, float(_SPECIAL["path"]))

    solar = _equal(use, _SOLAR)
    inner_u, inner_v = ground.inner
    fenced = solar * _where(inner_u) * _where(1 - inner_u) * _where(inner_v) * _where(1 - inner_v)
    rows = _triangle((grid.y + grid.x * 0.05) * ground.parcels(plan.parcel["panel frequency"]))
    service = _where(_triangle((grid.x - grid.y * 0.05) * 0.013) + 0.9)
    panels = fenced * _where(rows + 0.35) * service
    index = _put(index, panels, float(_SPECIAL["panels"]))

    index = _put(index, _where(ground.border + 0.5), ground.border)
    cleared = ground.parcels(plan.parcel["cleared"]) * wooded * date
    index = _put(index, cleared, float(_SPECIAL["stumps"]))
    index = _put(index, building, lots.number + _LEVELLED)

    # Water after the land, roads (and so bridges) last.
    shore = ground.shore - one["flood"] * date * (1 + 0.3 * ground.patches)
    wet = _where(-shore)
    bank = _where(5 - ground.shore) * _where(ground.patches + 0.3)
    fringe = _where(16 - ground.shore) * _where(ground.canopy + ground.patches * 0.5 - 0.2) * (1 - building)
    index = _put(index, fringe, float(_SPECIAL["hedge"]))
    index = _put(index, bank, float(_SPECIAL["bank"]))
    index = _put(index, wet, float(_SPECIAL["water"]))
    index = _put(index, wet * _where(ground.shore), float(_SPECIAL["flood"]))
    dry_road = ground.road * torch.maximum(1 - wet, _where(-ground.shore))
    index = _put(index, dry_road, float(_SPECIAL["asphalt"]))
    index = _put(index, dry_road * ground.marking, float(_SPECIAL["marking"]))
    open_ground = (1 - wet) * (1 - dry_road)
    building = building * open_ground

    look = _Lookup(index, _SURFACES)
    shade = _shade(plan, ground, grid, look, sun, date)
    shade = shade * _put(torch.ones_like(shade), shadow * (1 - dry_road), 0.42)
    shade = _put(shade, building, roof_shade * (1 + 0.05 * ground.grain))
    shade = _put(shade, panels * open_ground, 1 + 0.25 * rows)
    return _Surface(index, look, shade, kind * building, use, wet, wooded * open_ground, cleared * open_ground)


def _equal(image: Tensor, value: int) -> Tensor:
    """1.0 where the image of whole numbers holds `value`."""
    return (image - value).abs_().neg_().add_(1).clamp_min_(0)


def _sun(draw: _Draws, date: int) -> Float[Tensor, "3 batch 1 1"]:
    """Towards the sun: unit vector (east, south) and metres of shadow per metre of height."""
    u = draw(f"sun/{date}", 2)
    azimuth = _between(u[:, 0], 138.0, 168.0) * (np.pi / 180)
    return torch.stack([azimuth.sin(), -azimuth.cos(), _between(u[:, 1], 0.55, 1.25)])[:, :, None, None]


def _lots(plan: _Plan, ground: _Ground, use: Tensor) -> _Lots:
    hall = _equal(use, _HALLS)
    length, depth = ground.extent
    columns = torch.floor(length / (21 + 44 * hall)).clamp_min_(1)
    rows = torch.floor(depth / (27 + 38 * hall)).clamp_min_(1)
    u, v = ground.inner[0] * columns, ground.inner[1] * rows
    column, row = torch.floor(u), torch.floor(v)
    number = _modulo(ground.parcel * 13 + row * 97 + column * 31, _LOTS // 2) + hall * (_LOTS // 2)
    look = _Lookup(number, _LOTS)
    lot_length, lot_depth = length / columns, depth / rows
    u = (u - column - 0.5 - look(plan.lot["shift u"])) * lot_length
    v = (v - row - 0.5 - look(plan.lot["shift v"])) * lot_depth
    inner_u, inner_v = ground.inner
    inside = _where(inner_u) * _where(1 - inner_u) * _where(inner_v) * _where(1 - inner_v)
    beyond_u, beyond_v = u.abs() - look(plan.lot["wide"]) * lot_length, v.abs() - look(plan.lot["deep"]) * lot_depth
    return _Lots(number, u, v, beyond_u, beyond_v, inside, look)


def _buildings(
    plan: _Plan, ground: _Ground, lots: _Lots, sun: Tensor, built: Tensor, date: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Kind of roof, its brightness, where buildings stand, and where their shadows fall."""
    look = lots.look
    stands = look(plan.lot[f"stands {date}"]) * built
    building = stands * _where(-lots.beyond_u) * _where(-lots.beyond_v) * lots.inside
    # The shadow is the outline moved away from the sun, in the frame of the rows.
    sun_u, sun_v = sun[0] * ground.cos + sun[1] * ground.sin, sun[1] * ground.cos - sun[0] * ground.sin
    throw = look(plan.lot["height"]) * sun[2]
    half_u, half_v = lots.u.abs() - lots.beyond_u, lots.v.abs() - lots.beyond_v
    shadow_u = _where(half_u - (lots.u + sun_u * throw).abs())
    shadow_v = _where(half_v - (lots.v + sun_v * throw).abs())
    shadow = stands * shadow_u * shadow_v * (1 - building) * lots.inside

    kind = look(plan.lot["kind"])
    # A pitched roof falls away from its ridge; a hipped one on all four sides.
    across_u = _where(half_v - half_u)
    hip_u = _where(lots.beyond_u - lots.beyond_v)
    hipped = _equal(kind, ROOFS.index("tiled hip"))
    falls_u = _put(across_u, hipped, hip_u)
    side_u, side_v = torch.sign(lots.u) * sun_u, torch.sign(lots.v) * sun_v
    pitch = _put(side_v, falls_u, side_u)
    tiled = _equal(kind, ROOFS.index("tiled gable")) + hipped
    saw = _triangle(lots.u * 0.1).sign_()
    lights = _where(_triangle(lots.u * 0.08) - 0.2) * _where(_triangle(lots.v * 0.08) - 0.2)
    panels = _triangle(lots.v * 0.125).sign_()
    seams = _triangle(lots.v * 0.19)
    shade = _total((
        tiled.mul_(pitch).mul_(0.34).add_(1),
        _equal(kind, ROOFS.index("grey sawtooth")).mul_(saw).mul_(0.30),
        _equal(kind, ROOFS.index("grey skylights")).mul_(lights.sub_(0.16)).mul_(0.85),
        _equal(kind, ROOFS.index("grey solar rows")).mul_(panels).mul_(0.30),
        _equal(kind, ROOFS.index("metal")).mul_(seams.mul_(0.07).add_(pitch.mul_(0.06))),
    ))  # fmt: skip
    return kind, shade, building, shadow


def _shade(plan: _Plan, ground: _Ground, grid: _Grid, look: _Lookup, sun: Tensor, date: int) -> Tensor:
    """Texture of the surfaces: crowns, furrows and wheel tracks, roughness, and shadows that trees throw."""
    looks = plan.looks[date]
    crown, rough, furrow = (look(looks[name]) for name in ("crown", "rough", "furrow"))
    position = _put(ground.across, ground.parcels(plan.parcel["turned"]), ground.along)
    lines = _triangle(position * ground.parcels(plan.parcel["row frequency"]))
    tracks = _where(_triangle(position * 0.042).sub_(0.84)).sub_(0.08)
    trees = _where(crown - 0.4)
    shadow = _toward_sun(trees, max(1, round(5 / grid.step))).sub_(trees).clamp_min_(0)
    shade = _total((
        crown.mul_(ground.relief),
        rough.mul_(ground.grain),
        lines.mul_(ground.parcels(plan.parcel["furrow"])).sub_(tracks.mul_(0.16)).mul_(furrow).add_(1),
    ))  # fmt: skip
    shade.mul_(shadow.mul_(-0.22 - 0.2 * sun[2]).add_(1)).add_(ground.patches * 0.03)
    return shade.clamp_(0.22, 2.2)


# --- what the sensors see -------------------------------------------------------------------------

#: Path reflectance of clean air at each band relative to 0.49 um, falling with the third power of the wavelength.
_PATH = tuple((0.4924 / um) ** 3 for um in SENTINEL2.wavelengths_um)
_TEN_METRE = tuple(band.resolution_m == 10 for band in SENTINEL2.bands)


@dataclass(frozen=True)
class _Light:
    """One fine scene under one atmosphere."""

    rows: _Lookup  # into the palette
    palette: Tensor  # (batch, band, palette)
    gain: Tensor  # surface brightness times illumination
    haze: Tensor  # path reflectance at 0.49 um
    clear: tuple[Tensor, ...]  # transmittance of each band, (batch, 1, 1)


def _light(draw: _Draws, grid: _Grid, surface: _Surface, ground: _Ground, plan: _Plan, date: int) -> _Light:
    u = draw(f"light/{date}", 6).to(grid.device)[:, :, None, None]
    extent = 1 / (grid.size * GROUND)
    tilt = (u[:, 0] - 0.5) * 0.08 * (grid.x * extent) + (u[:, 1] - 0.5) * 0.08 * (grid.y * extent)
    illumination = _between(u[:, 2], 0.80, 1.06) + tilt
    # Thin haze drifts over some scenes; clean air scatters blue light over all of them.
    veil = grid.field(draw, f"haze/{date}", 80) * 0.3 + 1
    thick = u[:, 3] * u[:, 3] * u[:, 3]
    haze = 0.024 + 0.015 * u[:, 4] + thick * 0.055 * veil.clamp_min_(0.15)
    clear = tuple(1 - (0.04 + thick[:, 0] * 0.16) * path**0.5 for path in _PATH)
    levelled = _where(_LEVELLED - 0.5 - surface.index)
    row = surface.index + levelled * ground.level * _LEVELLED + (1 - levelled) * (_LEVELLED * (_LEVELS - 1))
    palette = plan.palettes[date].transpose(1, 2).contiguous().to(grid.device)
    return _Light(_Lookup(row, _PALETTE), palette, surface.shade * illumination, haze, clear)


def _reflectance(light: _Light, band: int) -> Float[Tensor, "batch fine_y fine_x"]:
    """At the top of the atmosphere, on the optical grid."""
    return light.rows(light.palette[:, band]) * (light.gain * light.clear[band][:, :, None]) + light.haze * _PATH[band]


def _optical(light: _Light, grid: _Grid, draw: _Draws, date: int) -> Tensor:
    noise = draw.grain(f"optical/{date}", grid.pixels**2, grid.device).view(-1, grid.pixels, grid.pixels)
    scale = 10000 / SENTINEL2.white * 255
    image = torch.empty(len(noise), 3, grid.pixels, grid.pixels, dtype=torch.uint8, device=grid.device)
    for band in range(3):
        # Half a level of rounding, and a uniform error of up to 1.5 levels.
        error = (noise >> 8 * band & 0xFF).to(torch.float32) * (3 / 255) - 1
        image[:, band] = (_reflectance(light, band) * scale + error).clamp_(0, 255).to(torch.uint8)
    return image


def _multispectral(light: _Light, grid: _Grid, draw: _Draws, date: int) -> Tensor:
    size, bands = grid.size, len(SENTINEL2)
    image = torch.empty(len(light.gain), bands, size, size, dtype=torch.uint16, device=grid.device)
    bits = draw.grain(f"multispectral/{date}", bands * size**2, grid.device).view(-1, bands, size, size)
    for band in range(bands):
        fine = _reflectance(light, band) * 10000
        if _TEN_METRE[band]:
            seen = _spread(grid.average(fine, grid.ratio), 0.08)
            seen = _noisy(seen, bits[:, band])
        else:
            half = size // 2
            seen = _spread(grid.average(fine, 2 * grid.ratio), 0.06)
            seen = _enlarge(_noisy(seen, bits[:, band, :half, :half]))
        image[:, band] = seen.clamp_(1, 28000).to(torch.int32).to(torch.uint16)
    return image


def _sar(surface: _Surface, plan: _Plan, grid: _Grid, draw: _Draws, date: int) -> Tensor:
    """Radar sees what covers the ground, not its colour, light or haze; speckle multiplies, the noise floor adds."""
    material = plan.looks[date]["material"].long()
    varied = torch.tensor(backscatter.VARIATION_DB) * 3**0.5 * (2 * draw("sar/places", material.shape[1]) - 1)
    table, speckle = 10 ** ((backscatter.levels()[material] + varied[..., None]) / 10), backscatter.speckle_table()
    speckle = speckle.to(grid.device)
    size, floor = grid.size, 10 ** (backscatter.FLOOR_DB / 10)
    bits = draw.grain(f"sar/{date}", 2 * size**2, grid.device).view(-1, 2, size, size)
    image = torch.empty(len(material), 2, size, size, device=grid.device)
    for band in range(2):
        power = grid.average(surface.look(table[..., band].contiguous()), grid.ratio)
        seen = power * speckle[(bits[:, band] >> 8 & len(speckle) - 1).long()]
        image[:, band] = _spread(seen, 0.15)  # pixels of 10 m, resolution of about 20 m: speckle is correlated
    # In double precision and rounded, so that no device's logarithm shows.
    return (torch.log10(image.double() + floor) * 1000).round().div(100).float()


def _noisy(image: Tensor, bits: Int32[Tensor, "batch y x"]) -> Tensor:
    """Adds noise of deviation 8 + 0.6 % of the signal: the sum of four uniform bytes, near enough to a normal law."""
    total = (bits & 0xFF) + (bits >> 8 & 0xFF) + (bits >> 16 & 0xFF) + (bits >> 24 & 0xFF)
    return image + (total.to(torch.float32) - 510) * (1 / 147.8) * (image * 0.006 + 8) + 0.5


def _neighbours(image: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Values before and after each pixel along `dim`; the border repeats."""
    size = image.shape[dim]
    before = torch.cat([image.narrow(dim, 0, 1), image.narrow(dim, 0, size - 1)], dim)
    after = torch.cat([image.narrow(dim, 1, size - 1), image.narrow(dim, size - 1, 1)], dim)
    return before, after


def _spread(image: Tensor, share: float) -> Tensor:
    """Point spread: each pixel gives `share` of its light to either neighbour, in both directions."""
    for dim in (1, 2):
        before, after = _neighbours(image, dim)
        image = image * (1 - 2 * share) + (before + after) * share
    return image


def _enlarge(image: Tensor) -> Tensor:
    """Twice the pixels per side, bilinear between pixel centres."""
    for dim in (1, 2):
        before, after = _neighbours(image, dim)
        pair = torch.stack([image * 0.75 + before * 0.25, image * 0.75 + after * 0.25], dim + 1)
        image = pair.flatten(dim, dim + 1)
    return image


# --- labels ---------------------------------------------------------------------------------------


def _labels(
    products: tuple[str, ...], plan: _Plan, ground: _Ground, grid: _Grid, surfaces: list[_Surface]
) -> dict[str, Tensor]:
    first, looks, labels = surfaces[0], plan.looks[0], {}
    if {"materials", "scene_labels"} & set(products):
        fine = first.look(looks["material"])
        labels["materials"], _ = _majority(fine, len(MATERIALS), grid)
        labels["scene_labels"] = _presence(labels["materials"])
    if "crops" in products:
        label, share = _majority(first.look(looks["crop"]).clamp_max(len(CROPS)), len(CROPS), grid)
        labels["crops"] = torch.where(share > 0.5, label, IGNORE)
    if "roofs" in products:
        labels["roofs"] = first.roof.to(torch.uint8)
    if "change" in products:
        last = surfaces[1]
        dry = (1 - last.wet) * (1 - ground.road) * (1 - _where(ground.border + 0.5))
        was, now = first.use, last.use
        became = 1 - _equal(was - now, 0)
        built = became * _where(now - _FOREST) * _where(_SOLAR - now) * dry
        # A building counts with its outline where only one lot was filled.
        built = torch.maximum(built, _where(last.roof) * (1 - _where(first.roof)))
        kind = built * CHANGES.index("construction")
        kind = _put(kind, last.cleared * (1 - built), float(CHANGES.index("clearing")))
        kind = _put(kind, became * _equal(now, _SOLAR) * dry, float(CHANGES.index("solar field")))
        kind = _put(kind, _where(last.wet - first.wet), float(CHANGES.index("flood")))
        label, share = _majority(kind - 1, len(CHANGES) - 1, grid)
        labels["change"] = torch.where(share > 0.5, label + 1, 0)
    return {name: labels[name] for name in products if name in labels}


def _majority(fine: Tensor, classes: int, grid: _Grid) -> tuple[Tensor, Tensor]:
    """The class that most optical pixels of each 10 m pixel hold, and its share; others count for no class."""
    best = torch.zeros(len(fine), grid.size, grid.size, device=fine.device)
    label = torch.zeros_like(best)
    for number in range(classes):
        share = grid.average(_equal(fine, number), grid.ratio)
        label = _put(label, _where(share - best), float(number))
        best = torch.maximum(best, share)
    return label.to(torch.uint8), best


def _presence(label: Tensor) -> Tensor:
    """1 where a group of materials covers at least PRESENT of the scene."""
    entries = list(materials.MATERIALS.values())
    parts = []
    for group in GROUPS:
        members = torch.tensor([entry.group == group for entry in entries], device=label.device)
        parts.append(members.index_select(0, label.flatten().int()).view(len(label), -1).float().mean(1) >= PRESENT)
    return torch.stack(parts, 1).to(torch.uint8)
