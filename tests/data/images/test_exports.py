"""Files as tools write them: the right numbers on the right grid, or a question whose answer gives them."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.transform import Affine

from brew.data.images import Image, open_image
from brew.errors import BrewError
from brew.sensors import SENSORS

TEN = SENSORS["sentinel2"].band_names
ALL = slice(0, None)
LEFT, TOP, SIZE = 600_000, 5_100_000, 48
L2A = tuple(["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"])
L1C = (*L2A[:10], "B10", *L2A[10:])
WKT = CRS.from_epsg(32632).to_wkt()
#: Rows without a value in files that have some.
HOLE = 6


def check(scene: Any, source: Any, tolerance: float = 0.01, hole: int = 0, **options: Any) -> Image:
    """The numbers are right wherever there is a value, and the place is that of the scene."""
    image = open_image(source, **options)
    values, valid = image.read(ALL, ALL)
    assert not valid[:hole].any() and valid[hole:].all()
    assert np.abs(values - scene.ten)[:, valid].max() <= tolerance
    assert (image.x[0], image.y[0], image.record["pixel_m"]) == (LEFT + 5, TOP - 5, [10.0, 10.0])
    assert image.crs is not None and CRS.from_wkt(image.crs).to_epsg() == 32632
    return image


def two_digits(names: Any) -> list[str]:
    return [f"B{name[1:].zfill(2)}" for name in names]


def holed(code: float, factor: float = 1.0) -> Callable[[np.ndarray], np.ndarray]:
    """Numbers times a factor, with a code in the first rows."""

    def change(values: np.ndarray) -> np.ndarray:
        values = values * factor
        values[:, :HOLE] = code
        return values

    return change


#: What a tool writes: the arguments of the fixture's `tif`, and how much of it has no value.
TIFS: dict[str, tuple[dict[str, Any], int]] = {
    "Earth Engine, L2A with all that comes along": (
        {"names": [*L2A, "AOT", "WVP", "TCI_R", "TCI_G", "TCI_B", "SCL", "MSK_CLDPRB", "QA60"],
         "order": [*L2A, "B1", "B9", "B4", "B3", "B2", "B9", "B9", "B9"]}, 0),
    "Earth Engine, L1C": ({"names": [*L1C, "QA10", "QA20", "QA60"], "order": [*L1C, "B9", "B9", "B9"]}, 0),
    "Earth Engine, a median as double": ({"names": [f"{band}_median" for band in TEN], "dtype": "float64"}, 0),
    "openEO": ({"names": two_digits(TEN), "dtype": "int16", "nodata": -32768, "change": holed(-32768)}, HOLE),
    "FORCE": (
        {"names": ["BLUE", "GREEN", "RED", "REDEDGE1", "REDEDGE2", "REDEDGE3", "BROADNIR", "NIR", "SWIR1", "SWIR2"],
         "order": ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"], "dtype": "int16", "nodata": -9999,
         "change": holed(-9999)}, HOLE),
    "codes that nobody declares: FORCE's": ({"dtype": "int16", "change": holed(-9999)}, HOLE),
    "codes that nobody declares: MAJA's": ({"dtype": "int16", "change": holed(-10_000)}, HOLE),
    "codes that nobody declares: netCDF's": ({"dtype": "float32", "change": holed(9.96921e36)}, HOLE),
    "terra": ({"names": [f"X20230701_{band}" for band in TEN], "dtype": "float32", "nodata": float("nan")}, 0),
    "terra, 16 bit": ({"nodata": 65535, "change": holed(65535)}, HOLE),
    "ENVI": ({"driver": "ENVI"}, 0),
    "big-endian": ({"ENDIANNESS": "BIG"}, 0),
    "32 bit": ({"dtype": "int32"}, 0),
}  # fmt: skip


@pytest.mark.parametrize("tool", TIFS)
def test_what_needs_no_answer(scene, tmp_path, tool):
    made, hole = TIFS[tool]
    check(scene, scene.tif(tmp_path / "export.tif", **made), hole=hole)


#: What cannot be told: how it is written, the question, the answer, and what remains of rounding.
ASKED: dict[str, tuple[dict[str, Any], str, dict[str, Any], float]] = {
    "Earth Engine, reflectance with holes": (
        {"dtype": "float32", "change": holed(np.nan, 1e-4)}, "look like fractions", {"unit": "reflectance"}, 1e-2),
    "the largest negative of 32 bit": (
        {"dtype": "float32", "change": holed(-3.4e38, 1e-4)}, "look like fractions", {"unit": "reflectance"}, 1e-2),
    "Sentinel Hub, digital numbers without names": (
        {"names": None, "change": holed(0)}, r'`bands=\["B2", ...\]`', {"bands": TEN}, 0),
    "Sentinel Hub, its mask among the bands": (
        {"names": None, "order": [*TEN, "B9"], "change": holed(0)}, "missing", {"bands": [*TEN, "dataMask"]}, 0),
    "Sentinel Hub, stretched to 16 bit": (
        {"change": lambda v: np.rint(holed(0)(v) * 6.5535)}, "Pass `scale=1 / 65535`", {"scale": 1 / 65535}, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("kind", ASKED)
def test_what_is_asked_and_the_answer(scene, tmp_path, kind):
    made, question, answer, tolerance = ASKED[kind]
    path = scene.tif(tmp_path / "export.tif", **made)
    with pytest.raises(BrewError, match=question):
        open_image(path)
    check(scene, path, tolerance, hole=HOLE, **answer)


def test_undeclared_65535_is_asked_about(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", change=holed(65535))
    with pytest.raises(BrewError, match=r"65535 in all bands.*rio edit-info --nodata 65535.*`mask=`"):
        open_image(path)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[:HOLE] = True
    check(scene, path, hole=HOLE, mask=mask)
    with rasterio.open(path, "r+") as file:
        file.nodata = 65535
    check(scene, path, hole=HOLE)


def test_a_cloud_optimised_geotiff_an_open_file_and_a_tar(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif")
    copy(path, tmp_path / "cog.tif", driver="COG")
    check(scene, tmp_path / "cog.tif")
    with rasterio.open(path) as file:
        check(scene, file)
    with tarfile.open(tmp_path / "response.tar", "w") as archive:
        archive.add(path, "default.tif")
    check(scene, tmp_path / "response.tar")


def test_a_header_of_envi_leads_to_its_data(scene, tmp_path):
    scene.tif(tmp_path / "scene.dat", driver="ENVI")
    check(scene, tmp_path / "scene.hdr")


def snap_product(scene: Any, folder: Path) -> Path:
    """BEAM-DIMAP: one big-endian ENVI file per band, whose header declares scale and offset, and angles beside."""
    (folder / "subset.data").mkdir()
    header = (
        "ENVI\nsamples = 48\nlines = 48\nbands = 1\nheader offset = 0\nfile type = ENVI Standard\ndata type = 12\n"
        "interleave = bsq\nbyte order = 1\ndata gain values = {{1.0E-4}}\ndata offset values = {{-0.1}}\nmap info = "
        "{{UTM, 1.0, 1.0, 600000.0, 5100000.0, 10.0, 10.0, 32, North, WGS-84, units=Meters}}\nband names = {{ {} }}\n"
    )
    for band in TEN:
        for name in (band, f"view_zenith_{band}"):
            (scene.numbers[band] + 1000).astype(">u2").tofile(folder / "subset.data" / f"{name}.img")
            (folder / "subset.data" / f"{name}.hdr").write_text(header.format(name))
    (folder / "subset.dim").write_text("<Dimap_Document/>")
    return folder / "subset.dim"


def test_snaps_own_format(scene, tmp_path):
    image = check(scene, snap_product(scene, tmp_path))
    assert image.record["offset"] == -1000 and "view_zenith_B4" in image.record["left_out"]
    check(scene, tmp_path / "subset.data")


def test_a_virtual_stack_has_the_names_of_its_files(scene, tmp_path):
    bands = []
    for number, name in enumerate(two_digits(TEN), 1):
        scene.tif(tmp_path / f"T32TPS_{name}.tif", names=None, order=[TEN[number - 1]])
        bands.append(
            f'<VRTRasterBand dataType="UInt16" band="{number}"><SimpleSource><SourceFilename relativeToVRT="1">'
            f"T32TPS_{name}.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        )
    (tmp_path / "stack.vrt").write_text(
        f'<VRTDataset rasterXSize="48" rasterYSize="48"><SRS>EPSG:32632</SRS><GeoTransform>{LEFT},10,0,{TOP},0,-10'
        f"</GeoTransform>{''.join(bands)}</VRTDataset>"
    )
    check(scene, tmp_path / "stack.vrt")
    check(scene, tmp_path)


def test_pieces_of_one_image_are_to_be_joined(scene, tmp_path):
    scene.tif(tmp_path / "export-0000000000-0000000000.tif")
    scene.tif(tmp_path / "export-0000000000-0000000048.tif", transform=Affine(10, 0, LEFT + 480, 0, -10, TOP))
    with pytest.raises(BrewError, match=r"band B4 doubled.*join them first \(gdalbuildvrt"):
        open_image(tmp_path)


@pytest.mark.parametrize("names", [["B2", "B3", "B4", "B8"], None])
def test_four_bands_do_not_suffice(scene, tmp_path, names):
    path = scene.tif(tmp_path / "a.tif", names=names, order=["B2", "B3", "B4", "B8"])
    with pytest.raises(BrewError, match="has 4 of 10 bands: obtain the others too, and give all as a folder"):
        open_image(path)
    rest = [band for band in TEN if band not in ("B2", "B3", "B4", "B8")]
    if names:
        check(scene, [path, scene.tif(tmp_path / "b.tif", names=rest, order=rest)])


def openeo(scene: Any, days: list[str]) -> xr.Dataset:
    """A variable per band along `t`, and the coordinate system in a variable `crs`."""
    bands = scene.array().to_dataset(dim="band").drop_vars("spatial_ref").astype("int16")
    found = bands.expand_dims(t=np.array(days, "datetime64[ns]")).copy()
    for name in found.data_vars:
        found[name].attrs, found[name].encoding = {"grid_mapping": "crs"}, {"_FillValue": -32768}
    return found.assign(crs=((), b"", {"crs_wkt": WKT, "spatial_ref": WKT}))


def test_a_file_of_openeo(scene, tmp_path):
    openeo(scene, ["2023-07-01"]).to_netcdf(tmp_path / "one.nc")
    check(scene, tmp_path / "one.nc")
    check(scene, xr.open_dataset(tmp_path / "one.nc"))
    openeo(scene, ["2023-07-01", "2023-07-11"]).to_netcdf(tmp_path / "two.nc")
    with pytest.raises(BrewError, match=r"2 dates along 't' .*pass `date=`"):
        open_image(tmp_path / "two.nc")
    check(scene, tmp_path / "two.nc", date="2023-07-11")


def test_a_netcdf_of_snap(scene, tmp_path):
    bands = (scene.array() + 1000).to_dataset(dim="band").drop_vars("spatial_ref").astype("int16")
    for name in bands.data_vars:
        bands[name].attrs = {"scale_factor": 1e-4, "add_offset": -0.1, "units": "dl"}
    bands.assign(crs=((), 0, {"wkt": WKT}), metadata=((), 0)).to_netcdf(tmp_path / "snap.nc")
    assert check(scene, tmp_path / "snap.nc").record["offset_by"].startswith("scale and offset of the encoding")


@pytest.mark.parametrize("offset", [0.0, -0.1])
@pytest.mark.parametrize("kind", ["netCDF", "Zarr"])
def test_what_xarray_packs(scene, tmp_path, kind, offset):
    """With the coordinate system as CF writes it, and reflectance packed into signed 16 bit."""
    bands = scene.array().to_dataset(dim="band")
    packing = {"dtype": "int16", "scale_factor": 1e-4, "add_offset": offset, "_FillValue": -32768}
    path, encoding = tmp_path / f"packed.{kind}", {band: packing for band in TEN}
    if kind == "Zarr":
        (bands / 1e4).to_zarr(path, encoding=encoding, zarr_format=2)
    else:
        path = path.with_suffix(".nc")
        (bands / 1e4).to_netcdf(path, encoding=encoding)
        check(scene, xr.open_dataset(path, mask_and_scale=False))
    check(scene, path)


def test_a_zarr_of_one_array_and_one_of_variables(scene, tmp_path):
    scene.array().rename("scene").to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    check(scene, tmp_path / "a.zarr")
    scene.array().to_dataset(dim="band").to_zarr(tmp_path / "b.zarr", zarr_format=3, consolidated=False)
    check(scene, tmp_path / "b.zarr")


@pytest.mark.parametrize("dtype", [">u2", ">f8"])
def test_arrays_of_the_other_byte_order(scene, dtype):
    check(scene, scene.array().astype(dtype))


@pytest.mark.parametrize(("baseline", "offset"), [("03.01", 0), ("04.00", -1000)])
def test_an_item_without_a_flag_goes_by_its_baseline(scene, tmp_path, baseline, offset):
    """As Planetary Computer describes Sentinel-2: no scale, no offset, no flag."""
    asset = {"href": scene.tif(tmp_path / "a.tif", change=lambda v: v - offset), "type": "image/tiff"}
    item = {"id": "one", "assets": {"data": asset, "preview": {"href": "https://preview", "type": "image/tiff"}},
            "properties": {"datetime": "2023-07-01T10:00:00Z", "s2:processing_baseline": baseline}}  # fmt: skip
    assert check(scene, item).record["offset"] == offset


def test_one_band_in_another_unit_is_named_with_the_way_out(scene, tmp_path):
    for band in TEN:
        unit = {"B6": 1e4, "B12": 100.0}.get(band)
        dtype, change = ("float32", lambda v, unit=unit: v / unit) if unit else ("uint16", None)
        scene.tif(tmp_path / f"{band}.tif", names=None, order=[band], change=change, dtype=dtype)
    for band, unit in (("B6", "reflectance"), ("B12", "percent")):
        with pytest.raises(BrewError, match=rf'{band}\.tif, band {band}: .* set `file.units` to "{unit}"'):
            open_image(tmp_path)
        with rasterio.open(tmp_path / f"{band}.tif", "r+") as file:
            file.units = [unit]
    check(scene, tmp_path)


def test_a_black_band_is_named(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", change=lambda v: v * (np.arange(10) != 3)[:, None, None])
    with pytest.raises(BrewError, match=r'a\.tif, band number 4, band B5: all black.*`unit="digital numbers"`'):
        open_image(path)
    assert (open_image(path, unit="digital numbers").read(ALL, ALL)[0][3] == 0).all()


def test_classes_are_no_mask_by_themselves(scene):
    classes = np.full((SIZE, SIZE), 4)
    classes[:HOLE] = 9
    with pytest.raises(BrewError, match=r"mask of numbers from 4 to 9|np\.isin"):
        open_image(scene.array(), mask=classes + (np.arange(SIZE) == 3))
    check(scene, scene.array(), hole=HOLE, mask=np.isin(classes, [3, 8, 9, 10]))


def test_linked_folders_are_searched_and_two_scenes_are_told(scene, tmp_path):
    (tmp_path / "in").mkdir()
    scene.tif(tmp_path / "in" / "a.tif")
    (tmp_path / "far").mkdir()
    scene.tif(tmp_path / "far" / "b.tif")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "far", target_is_directory=True)
    check(scene, tmp_path / "in" / "link")
    with pytest.raises(BrewError, match=r"band B4 doubled: .*a\.tif.*b\.tif"):
        open_image(tmp_path / "in")
