"""Every kind of source gives the same numbers on the same grid, or says what to do."""

import json

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import Affine

import brew
from brew.command import main
from brew.data.images import open_image
from brew.errors import BrewError
from brew.sensors import SENTINEL2_BANDS

LEFT, TOP, SIZE = 600_000, 5_100_000, 48
ALL = slice(0, None)
PRODUCT = "S2A_MSIL2A_20230701T101031_N0509_R022_T32TPS_20230701T141600"


def check(scene, source, tolerance=0.01, **options):
    """The fine bands are right to the pixel; the coarse ones lie near, since they are bilinear."""
    image = open_image(source, **options)
    values, valid = image.read(ALL, ALL)
    fine = [0, 1, 2, 6]
    assert np.abs(values[fine] - scene.ten[fine])[:, valid].max() <= tolerance
    assert image.shape == (SIZE, SIZE)
    return image, values, valid


def one_file_per_band(scene, folder, extension=".tif", change=lambda v: v, driver="GTiff", stem="T32TPS_{}"):
    folder.mkdir(parents=True)
    for band in (name for name in scene.numbers if name != "B10"):
        times = int(SENTINEL2_BANDS[band].resolution_m // 10)
        times = {1: 1, 2: 2, 6: 6}[times]
        values = change(scene.numbers[band][::times, ::times]).astype(np.uint16)
        place = {"crs": "EPSG:32632", "transform": Affine(10 * times, 0, LEFT, 0, -10 * times, TOP)}
        shape = {"count": 1, "height": len(values), "width": len(values), "dtype": "uint16", "driver": driver}
        with rasterio.open(folder / (stem.format(f"B{band[1:].zfill(2)}") + extension), "w", **place, **shape) as file:
            file.write(values, 1)


def test_a_folder_of_one_file_per_band(scene, tmp_path):
    one_file_per_band(scene, tmp_path / "bands")
    (tmp_path / "bands" / "SCL.tif").write_bytes((tmp_path / "bands" / "T32TPS_B05.tif").read_bytes())
    (tmp_path / "bands" / "._T32TPS_B05.tif").write_bytes(b"left by a file manager")
    image, values, _ = check(scene, tmp_path / "bands")
    coarse = values[3].reshape(24, 2, 24, 2).mean((1, 3))
    assert abs(coarse.mean() - scene.ten[3].mean()) < 5 and "SCL" in image.record["left_out"]
    first = open_image(tmp_path / "bands").read(slice(7, 30), slice(11, 48))[0]
    assert (first == values[:, 7:30, 11:48]).all()  # a window sees what the whole sees


def test_a_folder_of_coarse_files_is_no_image_of_ten_metres(scene, tmp_path):
    folder = tmp_path / "coarse"
    folder.mkdir()
    for band in open_image(scene.tif(tmp_path / "a.tif")).sources:
        place = {"crs": "EPSG:32632", "transform": Affine(20, 0, LEFT, 0, -20, TOP)}
        with rasterio.open(
            folder / f"{band}.tif", "w", driver="GTiff", count=1, height=24, width=24, dtype="uint16", **place
        ) as file:
            file.write(scene.numbers[band][::2, ::2].astype(np.uint16), 1)
    with pytest.raises(BrewError, match=r"pixels of 20 x 20 m; expected about 10 m.*`pixel=20`"):
        open_image(folder)
    image = open_image(folder, pixel=20)
    assert "20 x 20 m" in image.record["pixel_note"] and (image.read(ALL, ALL)[0] == scene.ten[:, ::2, ::2]).all()


def test_a_vrt_an_envi_file_and_a_zip(scene, tmp_path):
    envi = scene.tif(tmp_path / "scene.dat", driver="ENVI")
    check(scene, envi)
    path = scene.tif(tmp_path / "a.tif")
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "in/a.tif")
    check(scene, tmp_path / "a.zip")
    check(scene, f"/vsizip/{tmp_path}/a.zip/in/a.tif")


@pytest.mark.parametrize("nodata", [0, -9999, float("nan")])
def test_pixels_without_a_value(scene, tmp_path, nodata):
    def holes(values):
        values = values / 1e4
        values[:, :, :8] = nodata
        return values

    path = scene.tif(tmp_path / "a.tif", change=holes, dtype="float32", nodata=nodata if nodata == -9999 else None)
    image, values, valid = check(scene, path, unit="reflectance")
    assert not valid[:, :8].any() and valid[:, 8:].all() and np.isfinite(values).all()
    assert image.record["read"]["without_value"] == 8 * SIZE


def test_a_mask_by_classes_and_by_an_array(scene, tmp_path):
    def classes(values):
        values = values.copy()
        values[10] = 4
        values[10, :16] = 9
        return values

    path = scene.tif(
        tmp_path / "a.tif", names=[*open_image_names(), "SCL"], order=[*open_image_names(), "B9"], change=classes
    )
    given = np.zeros((SIZE, SIZE), bool)
    given[:16] = True
    for mask in ([8, 9], given):
        _, _, valid = check(scene, path, mask=mask)
        assert (valid == ~given).all()
    with pytest.raises(BrewError, match="no band SCL"):
        open_image(scene.array(), mask=[9])


def open_image_names():
    return ("B4", "B3", "B2", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def test_an_array_from_the_south_is_turned(scene):
    image, _, _ = check(scene, scene.array().isel(y=slice(None, None, -1)))
    assert image.y[0] == TOP - 5 and image.y[1] < image.y[0]


def test_stackstacs_corners_are_told_from_centres(scene):
    array = scene.array(centres=False)
    array.attrs["transform"] = Affine(10, 0, LEFT, 0, -10, TOP)
    image, _, _ = check(scene, array)
    assert (image.x[0], image.y[0]) == (LEFT + 5, TOP - 5)
    assert open_image(scene.array()).x[0] == LEFT + 5


@pytest.mark.parametrize("flag", [True, False])
def test_stackstacs_scaling_against_the_flag(scene, flag):
    """Items whose pixels hold no offset say one in `raster:bands`, and stackstac applies it."""
    array = scene.array(change=lambda v: (v if flag else v + 1000) * 1e-4 - 0.1)
    said = [{"scale": 1e-4, "offset": -0.1} for _ in range(10)]
    array = array.assign_coords({"raster:bands": ("band", np.array(said, dtype=object))})
    array = array.assign_coords({"earthsearch:boa_offset_applied": flag, "s2:processing_baseline": "05.09"})
    image, _, _ = check(scene, array)
    assert ("boa_offset_applied" in image.record["offset_by"]) == flag


def test_several_dates_are_told_apart(scene):
    series = xr.concat([scene.array() + 100, scene.array()], dim="time").assign_coords(
        time=np.array(["2023-07-01", "2024-07-01"], "datetime64[ns]")
    )
    with pytest.raises(BrewError, match=r"2 dates along 'time' \(2023-07-01, 2024-07-01\).*isel\(time=0\)"):
        open_image(series)
    check(scene, series.isel(time=1))
    check(scene, series, date="2024-07-01")


def test_a_dataset_and_a_tree_of_eopf(scene, tmp_path):
    array = scene.array()
    check(scene, array.to_dataset(dim="band"))
    tree = {"/": xr.Dataset(attrs={"other_metadata": {"horizontal_CRS_code": "EPSG:32632"}})}
    for pixel, names in ((10, ("B2", "B3", "B4", "B8")), (20, ("B5", "B6", "B7", "B8A", "B11", "B12"))):
        axis = (np.arange(480 // pixel) + 0.5) * pixel
        group = xr.Dataset(coords={"y": TOP - axis, "x": LEFT + axis})
        for name in names:
            values = (scene.numbers[name][:: pixel // 10, :: pixel // 10] + 1000).astype(np.uint16)
            values[:, -40 // pixel :] = 0
            attributes = {"scale_factor": 1e-4, "add_offset": -0.1, "fill_value": 0}
            group[f"b{name[1:].lower().zfill(2)}"] = (("y", "x"), values, attributes)
        tree[f"/measurements/reflectance/r{pixel}m"] = group
    path = tmp_path / f"{PRODUCT}.zarr"
    xr.DataTree.from_dict(tree).to_zarr(path, zarr_format=2)
    for source in (
        path,
        xr.open_datatree(path, engine="zarr", chunks={}),
        xr.open_datatree(path, engine="zarr", mask_and_scale=False),
    ):
        image, _, valid = check(scene, source)
        assert not valid[:, -4:].any() and valid[:, :-4].all() and image.record["kind"] == "EOPF product"


def test_uneven_steps_and_a_turned_grid_name_the_way_out(scene, tmp_path):
    array = scene.array()
    x = array["x"].values.copy()
    x[20:] += 7
    with pytest.raises(BrewError, match=r"steps between x from 10 to 17; .*rio\.reproject"):
        open_image(array.assign_coords(x=x))
    path = scene.tif(tmp_path / "a.tif", transform=Affine(10, 0, LEFT, 0, -10, TOP) @ Affine.rotation(30))
    with pytest.raises(BrewError, match="gdalwarp"):
        open_image(path)


def test_degrees_are_measured_on_the_ground(scene):
    step = 10 / 111_320
    array = scene.array().assign_coords(y=0.2 - step * np.arange(SIZE), x=9 + step * np.arange(SIZE))
    image = open_image(array.rio.write_crs("EPSG:4326"))
    assert image.record["pixel_m"] == pytest.approx([10, 10], abs=0.01)
    with pytest.raises(BrewError, match="expected about 10 m"):
        open_image(array.assign_coords(y=60 - step * np.arange(SIZE)).rio.write_crs("EPSG:4326"))


def test_an_item_of_stac(scene, tmp_path):
    one_file_per_band(scene, tmp_path / "cogs", stem="{}", change=lambda v: v + 1000)
    assets = {
        path.stem: {"href": str(path), "type": "image/tiff; application=geotiff"}
        for path in (tmp_path / "cogs").glob("*.tif")
    }
    item = {
        "id": "one",
        "assets": assets,
        "properties": {"datetime": "2023-07-01T10:00:00Z", "s2:processing_baseline": "05.09"},
    }
    image, _, _ = check(scene, item)
    assert image.record["offset_by"] == "processing baseline 05.09"
    (tmp_path / "item.json").write_text(json.dumps([item, item]))
    with pytest.raises(BrewError, match="2 items; expected one"):
        open_image(tmp_path / "item.json")


@pytest.mark.parametrize("source", [7, "none.tif", []])
def test_what_is_no_image(source):
    with pytest.raises(BrewError):
        open_image(source)


def test_other_sensors(tmp_path):
    array = xr.DataArray(
        np.full((3, 32, 32), 7, np.uint8), dims=("band", "y", "x"), coords={"band": ["blue", "green", "red"]}
    )
    values, valid = open_image(array, sensor="rgb").read(ALL, ALL)
    assert (values == 7).all() and valid.all()


def test_describing_needs_no_student(scene, tmp_path, capsys):
    path = scene.tif(tmp_path / "a.tif")
    record = brew.describe(path)
    assert record["dialect"] == "Sentinel-2 names" and "0.1 %" in capsys.readouterr().out
    assert main(["describe", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bands"]["B8A"]["called"] == "B8A"
    assert main(["describe", path, "--offset", "-1000"]) == 1 and "offset=0" in capsys.readouterr().err
