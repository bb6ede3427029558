"""A peer's opinion: other libraries read the same files, each by its documented way, and find brew's ten bands.

Each test is skipped if its library is absent, as in the project's own environment. docs/images.md has versions.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  registers `.rio`
import xarray as xr
from rasterio.enums import Resampling
from rasterio.transform import Affine

from brew.data.images import Image, open_image
from brew.errors import BrewError
from brew.sensors import SENSORS, SENTINEL2_BANDS
from tests.data.images.safe import write_safe

pytestmark = pytest.mark.filterwarnings("ignore")  # of the peers
TEN = SENSORS["sentinel2"].band_names
FINE = [number for number, band in enumerate(TEN) if SENTINEL2_BANDS[band].resolution_m == 10]
LEFT, TOP, SIZE = 600_000, 5_100_000, 48
ALL = slice(0, None)
EDGE = 8
STAC = dict(
    zip(TEN, "red green blue rededge1 rededge2 rededge3 nir nir08 swir16 swir22".split(), strict=True)  # noqa: SIM905
)
#: Peers resample integers to integers, and read 32 bit.
ROUNDED, SINGLE = 0.5001, 0.01


def same(one: Image, other: Image, tolerance: float) -> None:
    """Ten bands and their validity agree, to the pixel."""
    (values, valid), (others, also_valid) = one.read(ALL, ALL), other.read(ALL, ALL)
    assert (one.x == other.x).all() and (one.y == other.y).all() and (valid == also_valid).all()
    assert np.abs(values - others)[:, valid].max() <= tolerance


def test_satpy_reads_a_product_alike(scene, tmp_path):
    satpy = pytest.importorskip("satpy")
    folder = write_safe(tmp_path, scene.numbers, LEFT, TOP, corner=EDGE)
    found = satpy.Scene(reader="msi_safe_l2a", filenames=[str(file) for file in folder.rglob("*") if file.is_file()])
    names = [f"B{band[1:].zfill(2)}" for band in TEN]
    found.load(names, calibration="reflectance")
    for band, name in zip(TEN, names, strict=True):
        values = found[name].values * 100  # percent
        truth = scene.numbers[band][:: SIZE // len(values), :: SIZE // len(values)]
        seen = np.isfinite(values)
        assert not seen[: EDGE // 2, : EDGE // 2].any() and np.abs(values - truth)[seen].max() <= SINGLE
    same(open_image(folder), open_image([found[name] for name in names]), SINGLE)


#: Catalogues: what they call the bands, what they say, and what their pixels hold.
CATALOGUES = {
    "Earth Search": (STAC, {"earthsearch:boa_offset_applied": True}, True, 0),
    "Earth Search, collection 1": (STAC, {}, True, 1000),
    "Planetary Computer": ({band: f"B{band[1:].zfill(2)}" for band in TEN}, {}, False, 1000),
}


def stac_item(scene: Any, folder: Path, catalogue: str) -> Any:
    """An item over local files whose corner has no value, of baseline 05.09."""
    pystac = pytest.importorskip("pystac")
    names, said, packed, added = CATALOGUES[catalogue]
    west, south, east, north = rasterio.warp.transform_bounds(
        "EPSG:32632", "EPSG:4326", LEFT, TOP - 10 * SIZE, LEFT + 10 * SIZE, TOP
    )
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    properties = {"datetime": "2023-07-01T10:00:00Z", "s2:processing_baseline": "05.09", "proj:epsg": 32632} | said
    assets = {}
    for band in TEN:
        times = 1 if SENTINEL2_BANDS[band].resolution_m == 10 else 2
        values = (scene.numbers[band] + added).astype(np.uint16)
        values[:EDGE, :EDGE] = 0
        place = Affine(10 * times, 0, LEFT, 0, -10 * times, TOP)
        shape = {"count": 1, "height": SIZE // times, "width": SIZE // times, "dtype": "uint16", "nodata": 0}
        path = folder / f"{band}.tif"
        with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32632", transform=place, **shape) as file:
            file.write(values[::times, ::times], 1)
        raster = [{"nodata": 0, "data_type": "uint16", "scale": 1e-4, "offset": -0.1}]
        grid = {"proj:shape": [SIZE // times] * 2, "proj:transform": list(place)[:6]}
        assets[names[band]] = {"href": str(path), "type": "image/tiff", "roles": ["data"], **grid}
        assets[names[band]] |= {"raster:bands": raster} if packed else {}
    extensions = [f"https://stac-extensions.github.io/{name}/v1.1.0/schema.json" for name in ("projection", "raster")]
    return pystac.Item.from_dict(
        {"type": "Feature", "stac_version": "1.0.0", "id": "one", "stac_extensions": extensions, "links": [],
         "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [west, south, east, north],
         "properties": properties, "assets": assets}
    )  # fmt: skip


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_odc_stac_reads_an_item_alike(scene, tmp_path, catalogue):
    stac = pytest.importorskip("odc.stac")
    item, (names, _, _, added) = stac_item(scene, tmp_path, catalogue), CATALOGUES[catalogue]
    loaded = stac.load([item], bands=[names[band] for band in TEN], resampling="bilinear", resolution=10, chunks={})
    own = open_image(item)
    numbers = np.stack([loaded[names[band]].values[0] for band in TEN]).astype(float) - added
    values, valid = own.read(ALL, ALL)
    assert not valid[:EDGE, :EDGE].any() and np.abs(numbers - values)[:, valid].max() <= ROUNDED
    if added:
        with pytest.raises(BrewError, match="Pass `offset=-1000`"):  # the properties are not kept
            open_image(loaded)
    read = open_image(loaded, **({"offset": -1000} if added else {}))
    others, also_valid = read.read(ALL, ALL)
    both = valid & also_valid  # bilinear pixels beside the corner are a peer's own
    assert both.mean() > 0.9 and np.abs(values - others)[:, both].max() <= ROUNDED


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_stackstac_reads_an_item_alike(scene, tmp_path, catalogue):
    stackstac = pytest.importorskip("stackstac")
    item, (names, said, packed, added) = stac_item(scene, tmp_path, catalogue), CATALOGUES[catalogue]
    bounds = (LEFT, TOP - 10 * SIZE, LEFT + 10 * SIZE, TOP)
    stack = stackstac.stack(
        [item], assets=[names[band] for band in TEN], resolution=10, epsg=32632, bounds=bounds,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    values, valid = open_image(item).read(ALL, ALL)
    numbers = stack.values[0]
    numbers = numbers * 1e4 + (1000 if said else 0) if packed else numbers - added
    others, also_valid = open_image(stack).read(ALL, ALL)
    both = valid & also_valid & np.isfinite(numbers).all(0)
    assert both.mean() > 0.9 and not also_valid[: EDGE - 2, : EDGE - 2].any()
    assert np.abs(numbers - values)[:, both].max() <= ROUNDED and np.abs(others - values)[:, both].max() <= ROUNDED
    assert (open_image(stack).x == open_image(item).x).all() and (open_image(stack).y == open_image(item).y).all()


def eopf_product(scene: Any, folder: Path) -> Path:
    """An L2A product as EOPF Zarr of format 2: 1000 added, scale and offset declared, 0 where nothing was seen."""
    tree = {"/": xr.Dataset(attrs={"stac_discovery": {"type": "Feature", "properties": {"proj:code": "EPSG:32632"}},
                                   "other_metadata": {"horizontal_CRS_code": "EPSG:32632"}})}  # fmt: skip
    packing = {"scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": 0, "units": "digital_counts"}
    for pixel, names in {10: "B2 B3 B4 B8", 20: "B1 B5 B6 B7 B8A B11 B12", 60: "B9"}.items():
        axis = (np.arange(SIZE * 10 // pixel) + 0.5) * pixel
        group = xr.Dataset(coords={"y": TOP - axis, "x": LEFT + axis})
        for name in names.split():
            values = (scene.numbers[name] + 1000).astype(np.uint16)
            values[:, -12:] = 0
            group[f"b{name[1:].lower().zfill(2)}"] = (("y", "x"), values[:: pixel // 10, :: pixel // 10], packing)
        tree[f"/measurements/reflectance/r{pixel}m"] = group
    classes = xr.Dataset(coords=tree["/measurements/reflectance/r20m"].coords)
    classes["scl"] = (("y", "x"), np.full((SIZE // 2, SIZE // 2), 4, np.uint8))
    tree["/conditions/mask/l2a_classification/r20m"] = classes
    path = folder / "S2B_MSIL2A_20250115T150719_N0511_R082_T32TPS_20250115T170000.zarr"
    xr.DataTree.from_dict(tree).to_zarr(path, consolidated=True, zarr_format=2)
    return path


@pytest.mark.parametrize("mode", ["analysis", "native"])
def test_xarray_eopf_reads_a_product_alike(scene, tmp_path, mode):
    pytest.importorskip("xarray_eopf")
    path = eopf_product(scene, tmp_path)
    loaded, own = xr.open_dataset(str(path), engine="eopf-zarr", op_mode=mode, chunks={}), open_image(path)
    values, valid = own.read(ALL, ALL)
    prefix = "" if mode == "analysis" else "measurements_r10m_"
    for number in FINE:
        numbers = loaded[f"{prefix}b{TEN[number][1:].zfill(2)}"].values * 1e4
        assert np.abs(numbers - values[number])[valid].max() <= SINGLE
    if mode == "analysis":  # its unit is still "digital_counts", and no encoding tells that it was decoded
        with pytest.raises(BrewError, match='Pass `unit="reflectance"`'):
            open_image(loaded)
    read = open_image(loaded, **({"unit": "reflectance"} if mode == "analysis" else {}))
    others, also_valid = read.read(ALL, ALL)
    both = valid & also_valid
    assert both.mean() > 0.6 and np.abs(values - others)[:, both].max() <= SINGLE
