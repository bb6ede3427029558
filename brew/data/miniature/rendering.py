"""A procedural Earth: scenes of fields, woods, water, towns and solar plants, seen by three sensors.

A scene is seen on two dates, between which land use may change, or on days of a year with its seasons and clouds.

A scene is a closed formula of the place, not a list of painted objects. Modules tell its parts in this order:

- `planning` draws small tables for each scene, and `palette` what each surface reflects on each date;
- `ground` lays out sectors, parcels, woods and waters, `lots` buildings, and `land_cover` what lies on top;
- `moments` are the dates, `phenology` what grows in a year, and `clouds` what hides the ground then;
- `illumination` adds sun and haze, `instruments` make the images, and `label_maps` the labels.

All products observe that one fine scene. The optical image samples the scene. The multispectral image averages it over
10 m (or 20 m) and adds a point spread. The radar sees the materials alone. Each image has its own noise.

Scenes are reproducible to the byte. Each draw is keyed by (seed, scene, purpose). Each product's noise has a stream of
its own, so a further product changes no byte of the others. On a CPU scenes are rendered in blocks of fixed size:
a scene alone and the same scene in a batch go through the same arithmetic. Images use only operations that IEEE 754
rounds exactly: no pixel goes through a transcendental function, and small tables are made on the CPU. So devices
should agree as well, which a test checks if there is a GPU.

Left out: terrain, clouds over a pair of dates, mixed pixels' multiple scattering, sensor artefacts, anything seen off
nadir, and any claim that a place like these exists.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

from brew.data.miniature.clouds import check_clouds, clouds_of_day
from brew.data.miniature.draws import Draws
from brew.data.miniature.grid import Grid
from brew.data.miniature.ground import lay_out_ground
from brew.data.miniature.illumination import illuminate
from brew.data.miniature.instruments import multispectral_image, optical_image, radar_image
from brew.data.miniature.label_maps import label_scenes
from brew.data.miniature.land_cover import cover_ground
from brew.data.miniature.phenology import check_days
from brew.data.miniature.planning import plan_scenes
from brew.data.miniature.sun import sun_direction
from brew.errors import BrewError, unknown

PRODUCTS: tuple[str, ...] = (
    "multispectral", "optical", "sar", "materials", "roofs", "crops", "change", "scene", "scene_labels",
)  # fmt: skip
#: Products of a year. Its crops share one canopy, so one date's `crops` make no sense.
YEAR_PRODUCTS: tuple[str, ...] = (
    *(name for name in PRODUCTS if name != "crops"),
    "crops_year",
    "materials_by_date",
    "clouds",
)

#: Optical pixels rendered together on a CPU: fixed, so that the batch changes no rounding; few, to stay in the cache.
_BLOCK_PIXELS = 4 * 256**2


def render(
    ids: Shaped[Tensor, " batch"],
    seed: int,
    products: Sequence[str] = PRODUCTS,
    size: int = 64,
    optical_ratio: int = 4,
    dates: int | Sequence[int] = 2,
    device: torch.device | str = "cpu",
    clouds: float = 0.0,
) -> dict[str, Tensor]:
    """Render the scenes `ids` (int64) of the world `seed`. Only what `products` asks for is computed.

    size: pixels per side at 10 m, a multiple of 8. optical_ratio: optical pixels per multispectral one (2, 4 or 8).
    dates: 1 renders the first date alone, equal in bytes to the first of two. A sequence of days, such as
    `phenology.YEAR`, renders a year; a day's images do not depend on the other days.
    clouds: share of a year's images that clouds cover, on average. Returns, on `device`:

    multispectral  (batch, dates, 10, size, size) uint16, digital numbers in the order of ``SENSORS["sentinel2"]``
    optical        (batch, dates, 3, size * ratio, size * ratio) uint8, red green blue, 255 = sentinel2's `white`
    sar            (batch, dates, 2, size, size) float32, VV and VH in dB, to a hundredth
    materials      (batch, size, size) uint8, `MATERIALS` covering most of the pixel on the first date
    crops          (batch, size, size) uint8, `CROPS` that fill over half on the first date, else IGNORE
    roofs          (batch, size * ratio, size * ratio) uint8, `ROOFS` on the first date
    change         (batch, size, size) uint8, `CHANGES` from the first date to the last on over half of the pixel
    crops_year     (batch, size, size) uint8, of a year: `CROPS` that grow in it on over half of the pixel, else IGNORE
    materials_by_date (batch, dates, size, size) uint8, of a year: `materials` on each date
    clouds         (batch, dates, size, size) uint8, of a year: `CLOUDS`
    scene          (batch,) int64, `SCENES`
    scene_labels   (batch, len(GROUPS)) uint8, 1 if a group of materials covers at least PRESENT on the first date

    Raises BrewError for an unknown product, an impossible size, ratio, number or order of dates, too many clouds, and
    ids that are not int64.
    """
    dates = dates if isinstance(dates, int) else tuple(dates)
    _check(ids, products, size, optical_ratio, dates, clouds)
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
            chosen, seed, tuple(products), size, optical_ratio, dates, device, clouds).items()})  # fmt: skip
    return {name: torch.cat([part[name] for part in parts]) for name in products}


def _check(
    ids: Tensor, products: Sequence[str], size: int, ratio: int, dates: int | tuple[int, ...], clouds: float
) -> None:
    known = PRODUCTS if isinstance(dates, int) else YEAR_PRODUCTS
    for name in products:
        if name not in known:
            raise unknown("product", name, known)
    check_clouds(clouds)
    if not isinstance(dates, int):
        check_days(dates)
    elif clouds:
        raise BrewError(f"clouds is {clouds:g} with a pair of dates; expected 0, or the days of a year as `dates`")
    if ids.dtype != torch.int64 or ids.ndim != 1 or len(ids) == 0:
        raise BrewError(
            f"ids are {ids.dtype} of shape {tuple(ids.shape)}; expected at least one int64 in one dimension"
        )
    if size < 16 or size % 8:
        raise BrewError(f"size is {size}; expected a multiple of 8, at least 16")
    if ratio not in (2, 4, 8):
        raise BrewError(f"optical_ratio is {ratio}; expected 2, 4 or 8")
    if isinstance(dates, int) and dates not in (1, 2):
        raise BrewError(f"dates is {dates}; expected 1 or 2, or the days of a year")
    if "change" in products and dates == 1:
        raise BrewError("change needs two dates, found dates=1; ask for dates=2 or leave change out")


def _render_block(
    ids: Tensor, seed: int, products: tuple[str, ...], size: int, ratio: int, dates: int | tuple[int, ...],
    device: torch.device, cloudiness: float,
) -> dict[str, Tensor]:  # fmt: skip
    draw = Draws(seed, ids)
    plan = plan_scenes(draw, size, dates)
    images: dict[str, list[Tensor]] = {"multispectral": [], "optical": [], "sar": [], "clouds": []}
    result: dict[str, Tensor] = {"scene": plan.scene.to(device)}
    if set(products) - {"scene"}:
        grid = Grid(size, ratio, device)
        ground = lay_out_ground(plan, grid, draw)
        covers = [cover_ground(plan, ground, grid, draw, date) for date in range(len(plan.moments))]
        for date, (cover, moment) in enumerate(zip(covers, plan.moments, strict=True)):
            clouds = None
            if moment.day is not None and set(products) & {"multispectral", "optical", "clouds"}:
                sun = sun_direction(draw, moment)
                clouds = clouds_of_day(draw, grid, sun, moment.name, cloudiness)
                if "clouds" in products:
                    images["clouds"].append(clouds.mask(grid))
            if set(products) & {"multispectral", "optical"}:
                light = illuminate(draw, grid, cover, ground, plan, date, clouds)
                if "optical" in products:
                    images["optical"].append(optical_image(light, grid, draw, moment.name))
                if "multispectral" in products:
                    images["multispectral"].append(multispectral_image(light, grid, draw, moment.name))
            if "sar" in products:
                images["sar"].append(radar_image(cover, plan, grid, draw, date))
        result |= {name: torch.stack(parts, 1) for name, parts in images.items() if parts}
        result |= label_scenes(products, plan, ground, grid, covers)
    return {name: result[name] for name in products}
