"""Parts of an image as bands on one grid: the finest of each band, the grid of the finest of all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine

from brew.data.images.calibration import Calibration, Said, calibrate
from brew.data.images.dialects import Named
from brew.data.images.parts import Grid, Layer, Opened, Part
from brew.data.images.scene_image import Source
from brew.errors import BrewError

#: Corners of two grids agree if they differ by less than this share of a pixel.
_TOLERANCE = 1e-3
#: Metres of a pixel's side that a 10 m grid may have.
PIXEL = (8.0, 12.0)


class NorthUp:
    """A part whose rows run from the south, or whose columns run from the east, the other way round."""

    def __init__(self, part: Part):
        self._part, transform = part, part.grid.transform
        assert transform is not None
        self.flipped = (transform.e > 0, transform.a < 0)
        height, width = part.grid.shape
        corner = transform @ (width * self.flipped[1], height * self.flipped[0])
        turned = Affine(abs(transform.a), 0, corner[0], 0, -abs(transform.e), corner[1])
        self.grid, self.layers = Grid(part.grid.shape, turned, part.grid.crs, part.grid.degrees), part.layers

    def read(self, which: Any, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        places, steps = [], []
        for part, side, flipped in zip((rows, columns), self.grid.shape, self.flipped, strict=True):
            places.append(slice(side - part.stop, side - part.start) if flipped else part)
            steps.append(slice(None, None, -1 if flipped else None))
        values, valid = self._part.read(which, *places)
        return values[:, *steps], valid[:, *steps]


def upright(part: Part) -> Part:
    """North is up on a grid with a coordinate system, whatever the order of the rows in the file."""
    transform = part.grid.transform
    turned = transform is not None and part.grid.crs and (transform.e > 0 or transform.a < 0)
    return NorthUp(part) if turned else part


def flipped(part: Part) -> tuple[bool, bool]:
    """Whether rows and columns of the source run the other way than the part's."""
    return part.flipped if isinstance(part, NorthUp) else (False, False)


def all_layers(opened: Opened) -> list[tuple[Part, int]]:
    """(part, number in the part) of every layer, in the order of the parts."""
    return [(part, number) for part in opened.parts for number in range(len(part.layers))]


def on_one_grid(opened: Opened, named: Named, caller: Said, reflective: bool) -> tuple[Grid, dict[str, Source]]:
    """The grid of the image and where its bands come from; BrewError if they do not fit."""
    layers = all_layers(opened)
    chosen = {
        band: _finest(band, [layers[number] for number in numbers], opened) for band, numbers in named.bands.items()
    }
    steps = {band: part.grid.step for band, (part, _) in chosen.items()}
    known = any(part.grid.transform for part, _ in chosen.values())
    first = min(chosen, key=lambda band: steps[band] if known else -np.prod(chosen[band][0].grid.shape))
    grid = chosen[first][0].grid
    sources = {}
    for band, (part, number) in chosen.items():
        layer = part.layers[number]
        calibration = calibrate(layer, opened, caller) if reflective else _native(layer, caller)
        sources[band] = Source(part, number, ratio_to(part, layer, grid, band, first), calibration)
    return grid, sources


def pixel_size(grid: Grid, accepted: float | int | None, opened: Opened) -> dict[str, Any]:
    """For the record; BrewError if pixels are not about 10 m and the caller accepts no other size."""
    found = grid.metres
    if found is None:
        return {"pixel_m": None, "pixel_note": "the grid is unknown, so 10 m is assumed"}
    told = {"pixel_m": [round(side, 4) for side in found]}
    if all(PIXEL[0] <= side <= PIXEL[1] for side in found):
        return told
    sides = f"{found[0]:.4g} x {found[1]:.4g} m"
    if accepted is None or not all(abs(side - accepted) <= 0.2 * accepted for side in found):
        raise opened.refuse(
            f"pixels of {sides}; expected about 10 m, on which a student is trained. Resample the image first, such as "
            f"by gdalwarp -tr 10 10 -r bilinear, or pass `pixel={max(found):.4g}` to take it as it is"
        )
    return told | {"pixel_note": f"pixels of {sides}, which the caller accepts; students are trained on 10 m"}


def check_order(opened: Opened, named: Named) -> None:
    """BrewError if the cirrus band is brighter than water vapour's, as in bands of another order."""
    layers = all_layers(opened)
    dark = [_middle(*layers[named.others[band][0]]) for band in ("B10", "B9") if band in named.others]
    if len(dark) == 2 and dark[0] > dark[1]:
        raise opened.refuse(
            f"B10 (cirrus) has the median {dark[0]:g} and B9 {dark[1]:g}; expected less in B10. The bands stand in "
            'another order: pass `bands="EuroSAT-13"` if B8A is the last, `bands="L1C-13"` if B8A is the ninth, else a '
            "name for each"
        )


def _middle(part: Part, number: int) -> float:
    """The median of a band in the middle of the image, nan if no pixel has a value there."""
    middle = [slice(max(0, side // 2 - 64), side // 2 + 64) for side in part.grid.shape]
    values, valid = part.read([number], *middle)
    values = values[0][valid[0] & (values[0] != part.layers[number].zero)]
    return float(np.median(values)) if values.size else float("nan")


def _finest(band: str, candidates: list[tuple[Part, int]], opened: Opened) -> tuple[Part, int]:
    size = min(part.grid.step for part, _ in candidates)
    finest = [(part, number) for part, number in candidates if part.grid.step <= size * (1 + _TOLERANCE)]
    if len(finest) > 1:
        places = ", ".join(part.layers[number].where for part, number in finest)
        if len({part.grid.transform for part, _ in finest}) == len(finest):
            raise opened.refuse(
                f"band {band} doubled: {places}; expected it once. If these are pieces of one image, join them first "
                "(gdalbuildvrt whole.vrt *.tif; pass `bands=` if that loses their names). Else give one of them"
            )
        raise opened.refuse(
            f"band {band} doubled: {places}; expected it once. Select one, rename the other, or pass `bands=` as "
            f'{{"{band}": ...}} with a name for each band'
        )
    return finest[0]


def _native(layer: Layer, caller: Said) -> Calibration:
    """Of a sensor whose values are no reflectance: as stored, unless file or caller say how they are packed."""
    if caller.unit is not None:
        raise BrewError("`unit` is for Sentinel-2; expected none for other sensors. Pass `scale` and `offset`")
    scale, offset, by = (
        (1.0, 0.0, "") if layer.decoded else (layer.scale or 1.0, layer.offset or 0.0, layer.declared_by)
    )
    if caller.scale is not None or caller.offset is not None:
        scale, offset, by = caller.scale or 1.0, caller.offset or 0.0, "the caller"
    return Calibration(scale, offset, by, by)


def ratio_to(part: Part, layer: Layer, grid: Grid, band: str, first: str) -> int:
    """Of the band's pixels to the grid's; BrewError if the grid is not an exact multiple with the same corner."""
    own = part.grid
    if own.crs != grid.crs and CRS.from_wkt(own.crs or "LOCAL_CS[]") != CRS.from_wkt(grid.crs or "LOCAL_CS[]"):
        raise BrewError(
            f"{layer.where}, band {band}: coordinate system {short(own.crs)}; expected {short(grid.crs)} as band "
            f"{first} has. Reproject one of them first"
        )
    if own.transform is None or grid.transform is None:
        if own.shape != grid.shape:
            raise BrewError(
                f"{layer.where}, band {band}: {own.shape} pixels; expected {grid.shape} as band {first}, since the "
                "files carry no coordinates. Resample the band first"
            )
        return 1
    ratio = round(own.transform.a / grid.transform.a)
    fine = grid.transform
    expected = np.array([fine.a * ratio, 0, fine.c, 0, fine.e * ratio, fine.f])
    apart = np.abs(np.array(own.transform[:6]) - expected).max() > _TOLERANCE * abs(fine.a)
    if ratio < 1 or apart or (own.shape[0] * ratio, own.shape[1] * ratio) != grid.shape:
        raise BrewError(
            f"{layer.where}, band {band}: {own.shape} pixels with transform {tuple(own.transform)[:6]}; expected an "
            f"exact multiple of the {grid.shape} pixels with transform {tuple(fine)[:6]} of band {first}. Resample the "
            "band to that grid first, by gdalwarp or `.rio.reproject_match`"
        )
    return ratio


def short(crs: str) -> str:
    """A coordinate system's name."""
    return crs.split('"')[1] if '"' in crs else crs or "none"


def band_record(sources: Mapping[str, Source]) -> dict[str, Any]:
    """For the record: of each band its place, and what leads from stored values to digital numbers."""
    return {
        band: {
            "from": source.layer.where, "called": source.layer.names[0], "dtype": str(source.layer.dtype),
            "scale": source.calibration.slope, "offset": source.calibration.shift, "ratio": source.ratio,
        }
        for band, source in sources.items()
    }  # fmt: skip
