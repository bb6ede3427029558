"""Folders of GeoTIFFs: bands by name, the 10 m grid, and every kind of bad input named by file and band."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from brew.data.images.bilinear import finer
from brew.data.sources import geotiff
from brew.data.sources.geotiff import GeotiffSettings, SceneError, list_bands, read_scene
from brew.data.store import open_store
from brew.errors import BrewError
from brew.sensors import SENSORS

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
BANDS = SENSORS["sentinel2"].band_names
RESOLUTION = {band.name: int(band.resolution_m) for band in SENSORS["sentinel2"].bands}
SIZE = 24
CORNER = (500_000, 5_000_000)


def write(path: Path, values: np.ndarray, resolution=10, crs="EPSG:32632", corner=CORNER, names=(), **profile) -> Path:
    values = values if values.ndim == 3 else values[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {"crs": crs, "transform": Affine(resolution, 0, corner[0], 0, -resolution, corner[1])} if crs else {}
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[1], width=values.shape[2], count=len(values), dtype=values.dtype,
        **place, **profile,
    ) as file:  # fmt: skip
        file.write(values)
        file.descriptions = names or (None,) * len(values)
    return path


def image(band: str, size=SIZE) -> np.ndarray:
    """A ramp along x that differs by band: what resampling and order are read from."""
    side = size * 10 // RESOLUTION[band]
    metres = (np.arange(side) + 0.5) * RESOLUTION[band]
    return (np.broadcast_to(metres, (side, side)) * 10 + 100 * BANDS.index(band) + 500).round().astype(np.uint16)


def scene(folder: Path, name="place") -> Path:
    """One file per band at the bands' own resolutions, named as products are."""
    for band in BANDS:
        number = band if band == "B8A" else f"B{int(band[1:]):02d}"
        write(folder / name / f"T32TNS_{number}.tif", image(band), RESOLUTION[band])
    return folder


def settings(folder: Path, **changes) -> GeotiffSettings:
    return GeotiffSettings(**{"folder": folder, "licence": "own", "tile": 16, "stride": 8, **changes})


def build(folder: Path, **changes):
    path = folder.parent / "store.zarr"
    geotiff.build(path, settings(folder, **changes))
    return open_store(path)


def test_one_file_per_band_comes_to_the_ten_metre_grid(tmp_path):
    dataset = build(scene(tmp_path / "in"))
    assert dataset["multispectral"].shape == (4, 1, 10, 16, 16)
    values = dataset["multispectral"].sel(band=["B4", "B11"]).isel(sample=0, time=0).values.astype(int)
    # A ramp in metres: bilinear resampling of 20 m pixels reproduces it away from the border.
    ramp = (np.arange(16) + 0.5) * 100 + 500
    assert (values[0] == ramp + 0).all()
    assert (values[1, :, 1:] == ramp[1:] + 100 * BANDS.index("B11")).all()
    assert dataset["row"].values.tolist() == [0, 0, 8, 8] and dataset["column"].values.tolist() == [0, 8, 0, 8]
    assert set(dataset["split"].values) == {"pretrain"} and set(dataset["origin"].values) == {"place"}
    grid = dataset.attrs["scenes"]["place"]
    assert grid["transform"] == [500000, 10, 0, 5000000, 0, -10] and "32632" in grid["crs"]


@given(ratio=st.sampled_from([2, 6]), seed=st.integers(0, 99))
def test_resampling_keeps_the_mean_and_invents_no_extremes(ratio, seed):
    values = np.random.default_rng(seed).integers(0, 2**16, (5, 7)).astype(np.uint16)
    fine = finer(values.astype(np.float32), ratio).round()
    assert fine.shape == (5 * ratio, 7 * ratio) and fine.min() >= values.min() and fine.max() <= values.max()
    assert (finer(np.full((3, 3), 65535, np.float32), ratio).round() == 65535).all()


def stacked(tmp_path, order=BANDS, names=None, **changes) -> Path:
    values = np.stack([np.repeat(np.repeat(image(b), RESOLUTION[b] // 10, 0), RESOLUTION[b] // 10, 1) for b in order])
    write(tmp_path / "in" / "stack.tif", values, names=tuple(names or order), **changes)
    return tmp_path / "in"


def test_bands_are_taken_by_description_not_by_place(tmp_path):
    one = read_scene(list_bands(settings(stacked(tmp_path / "a")))["stack"])
    other = read_scene(list_bands(settings(stacked(tmp_path / "b", order=BANDS[::-1])))["stack"])
    assert (one.values == other.values).all() and one.values[0, 0, 0] == image("B4")[0, 0]


@pytest.mark.parametrize("kind", ["csv", "yaml"])
def test_a_table_names_bands_scenes_and_splits(tmp_path, kind):
    folder = stacked(tmp_path, names=["?"] * 10)
    write(folder / "more" / "stack.tif", np.stack([np.full((SIZE, SIZE), 900 + i, np.uint16) for i in range(10)]))
    rows = [
        {"file": file, "band": band, "index": index, "scene": name, "split": split}
        for file, name, split in (("stack.tif", "first", "train"), ("more/stack.tif", "second", "test"))
        for index, band in enumerate(BANDS, start=1)
    ]
    if kind == "csv":
        with (folder / "bands.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    else:
        (folder / "bands.yaml").write_text(yaml.safe_dump(rows))
    dataset = build(folder, table=f"bands.{kind}", tile=SIZE, stride=SIZE, offset=0.0)
    assert dict(zip(dataset["origin"].values, dataset["split"].values, strict=True)) == {
        "first": "train",
        "second": "test",
    }
    assert dataset["multispectral"].sel(band="B8").isel(sample=1).values.mean() == 900 + BANDS.index("B8")


def test_files_without_coordinates_are_read_when_sizes_agree(tmp_path):
    folder = stacked(tmp_path, crs=None)
    assert read_scene(list_bands(settings(folder))["stack"]).crs == ""


def broken(folder: Path, band: str) -> Path:
    number = band if band == "B8A" else f"B{int(band[1:]):02d}"
    return folder / "place" / f"T32TNS_{number}.tif"


def refused(folder: Path, match: str, **changes):
    """The build ends in an error that says `match`, before anything is written."""
    with pytest.raises(BrewError, match=match) as caught:
        build(folder, **changes)
    assert not list(folder.parent.glob("*store.zarr"))
    return str(caught.value)


def test_a_missing_band(tmp_path):
    folder = scene(tmp_path / "in")
    broken(folder, "B8A").unlink()
    refused(folder, r"in/place, scene 'place': band B8A missing")


def test_a_doubled_band(tmp_path):
    folder = scene(tmp_path / "in")
    write(folder / "place" / "again_B4.tif", image("B4"))
    refused(folder, r"B04\.tif, band B4: doubled, .*again_B4\.tif|again_B4\.tif, band B4: doubled, .*B04\.tif")


def test_a_doubled_band_in_one_file(tmp_path):
    refused(stacked(tmp_path, names=[*BANDS[:-1], "B11"]), r"stack\.tif, band B11: doubled")


def test_bands_without_names(tmp_path):
    refused(stacked(tmp_path, names=["fog"] * 10), r"stack\.tif, band number 1: found 'fog'; expected the name")


@pytest.mark.parametrize("band", ["B4", "B12"])
def test_any_type_that_holds_digital_numbers(tmp_path, band):
    folder = scene(tmp_path / "in")
    write(broken(folder, band), image(band).astype(np.int32), RESOLUTION[band])
    assert build(folder)["multispectral"].dtype == np.uint16


@pytest.mark.parametrize("band", ["B2", "B8A"])
def test_reflectance_instead_of_digital_numbers(tmp_path, band):
    folder = scene(tmp_path / "in")
    write(broken(folder, band), (image(band) / 1e4).astype(np.float32), RESOLUTION[band])
    name = "B8A" if band == "B8A" else "B02"
    refused(folder, rf"{name}\.tif, band {band}: 99 % is below 0\.\d+, which looks like reflectance")
    with rasterio.open(next(folder.rglob(f"*{name}.tif")), "r+") as file:
        file.units = ["reflectance"]
    ((_, bands),) = list_bands(settings(folder)).items()
    assert (
        np.abs(read_scene(bands).values - read_scene(list_bands(settings(scene(tmp_path / "b")))["place"]).values).max()
        <= 1
    )


def test_nan(tmp_path):
    folder = scene(tmp_path / "in")
    values = image("B3").astype(np.float32)
    values[2, 3] = np.nan
    write(broken(folder, "B3"), values)
    dataset = build(folder)
    assert dataset.attrs["images"]["place"]["read"]["without_value"] == 1 and dataset.attrs["tiles_left_out"] == 0


def test_declared_nodata(tmp_path):
    folder = scene(tmp_path / "in")
    values = image("B3")
    values[:2] = 7
    write(broken(folder, "B3"), values, nodata=7)
    dataset = build(folder)
    assert dataset["row"].values.tolist() == [8, 8] and dataset.attrs["tiles_left_out"] == 2
    assert dataset.attrs["images"]["place"]["tiles_left_out"] == 2


def test_nodata_that_no_band_holds_is_no_fault(tmp_path):
    whole = read_scene(list_bands(settings(stacked(tmp_path / "a")))["stack"])
    declared = read_scene(list_bands(settings(stacked(tmp_path / "b", nodata=0)))["stack"])
    assert (whole.values == declared.values).all()


def masked(file: Path, kind: str) -> None:
    """Half of the pixels of an image become invalid."""
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "internal"), rasterio.open(file, "r+") as opened:
        valid = np.full(opened.shape, 255, np.uint8)
        valid[:, : SIZE // 2] = 0
        opened.write_mask(valid)


@pytest.mark.parametrize("kind", ["internal", "beside"])
@pytest.mark.parametrize("nodata", [None, 1])
def test_a_mask(tmp_path, kind, nodata):
    """GDAL's own mask would be that of the nodata value alone."""
    folder = stacked(tmp_path, nodata=nodata)
    masked(folder / "stack.tif", kind)
    assert (folder / "stack.tif.msk").exists() == (kind == "beside")
    refused(folder, r"stack\.tif, scene 'stack': no tile of 16 pixels has values in 90%", offset=0.0)
    path = folder.parent / "half.zarr"
    geotiff.build(path, settings(folder, offset=0.0, valid=0.5))
    assert open_store(path)["column"].values.tolist() == [8, 8]


def opaque(tmp_path, opacity: np.ndarray) -> Path:
    """A scene of ten bands and an eleventh of opacity."""
    folder = stacked(tmp_path)
    with rasterio.open(folder / "stack.tif") as file:
        values, profile, names = file.read(), file.profile, file.descriptions
    with rasterio.open(folder / "stack.tif", "w", **(profile | {"count": 11})) as file:
        file.colorinterp = [ColorInterp.gray] + [ColorInterp.undefined] * 9 + [ColorInterp.alpha]
        file.write(np.concatenate([values, opacity[None]]))
        file.descriptions = (*names, None)
    return folder


def test_opacity(tmp_path):
    opacity = np.full((SIZE, SIZE), 65535, np.uint16)
    whole = read_scene(list_bands(settings(stacked(tmp_path / "a")))["stack"])
    clear = read_scene(list_bands(settings(opaque(tmp_path / "b", opacity)))["stack"])
    assert (whole.values == clear.values).all()
    opacity[0, :5] = 0
    assert build(opaque(tmp_path / "c", opacity)).attrs["images"]["stack"]["read"]["without_value"] == 5


def test_a_turned_grid(tmp_path):
    folder = stacked(tmp_path)
    with rasterio.open(folder / "stack.tif", "r+") as file:
        file.transform = file.transform @ Affine.rotation(30)
    refused(
        folder, r"stack\.tif: a grid turned against its coordinate system .*gdalwarp -tr 10 10 -r bilinear stack\.tif"
    )


def test_ground_control_points(tmp_path):
    folder = stacked(tmp_path, crs=None)
    with rasterio.open(folder / "stack.tif", "r+") as file:
        points = [GroundControlPoint(row, column, 500_000 + 10 * column, 5_000_000 - 10 * row)
                  for row, column in ((0, 0), (0, SIZE), (SIZE, 0))]  # fmt: skip
        file.gcps = points, rasterio.CRS.from_epsg(32632)
    refused(folder, r"stack\.tif: placed by 3 ground control points; .*gdalwarp")


@pytest.mark.parametrize(("scale", "offset", "added"), [(0.0001, 0.0, 0), (0.0001, -0.1, 1000), (1.0, 0.0, 0)])
def test_a_declared_offset_is_taken_off(tmp_path, scale, offset, added):
    whole = read_scene(list_bands(settings(stacked(tmp_path / "a")))["stack"])
    folder = stacked(tmp_path / "b")
    with rasterio.open(folder / "stack.tif", "r+") as file:
        file.write(file.read() + np.uint16(added))
        file.scales, file.offsets = (scale,) * 10, (offset,) * 10
    assert (read_scene(list_bands(settings(folder))["stack"]).values == whole.values).all()


def test_an_odd_scale(tmp_path):
    folder = stacked(tmp_path)
    with rasterio.open(folder / "stack.tif", "r+") as file:
        file.scales = (0.1,) * 10
    refused(folder, r"99 % of the pixels are below .* scale and offset of the file")


def test_linked_folders_hold_scenes_too(tmp_path):
    folder = scene(tmp_path / "in", "here")
    scene(tmp_path / "elsewhere", "there")
    (folder / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert set(list_bands(settings(folder))) == {"here", "linked/there"}
    (folder / "here" / "circle").symlink_to(folder, target_is_directory=True)
    refused(folder, r"here/circle links to a folder around it; .*Remove the link")


def test_what_programs_leave_is_no_scene(tmp_path):
    folder = scene(tmp_path, "here")
    for left in ("here/._B4.tif", ".ipynb_checkpoints/B4-checkpoint.tif"):
        (folder / left).parent.mkdir(exist_ok=True)
        (folder / left).write_bytes(b"no image")
    assert set(list_bands(settings(folder))) == {"here"}


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_spreadsheets_table_of_files_anywhere(tmp_path, absolute, encoding):
    """With a byte order mark, a path from the root or through the folder above, and an empty last line."""
    far = stacked(tmp_path / "far", names=["?"] * 10) / "stack.tif"
    folder = tmp_path / "in"
    folder.mkdir()
    name = far.resolve() if absolute else Path("..") / far.relative_to(tmp_path)
    rows = [f"{name},{band},{index}\r\n" for index, band in enumerate(BANDS, 1)]
    (folder / "bands.csv").write_bytes(("file,band,index\r\n" + "".join(rows) + ",,\r\n").encode(encoding))
    ((place, bands),) = list_bands(settings(folder, table="bands.csv")).items()
    assert place == far.parent.as_posix() if absolute else place == "../far/in"
    assert (read_scene(bands).values[0] == image("B4")).all()


def test_an_all_black_band(tmp_path):
    folder = scene(tmp_path / "in")
    write(broken(folder, "B6"), np.zeros_like(image("B6")), RESOLUTION["B6"])
    refused(folder, r"B06\.tif, band B6: all black")


def test_an_all_black_tile(tmp_path):
    folder = scene(tmp_path / "in")
    values = image("B8")
    values[8:16, 8:16] = 0
    write(broken(folder, "B8"), values)
    refused(folder, r"B08\.tif, band B8: the tile at row 8, column 8 is all black", tile=8, stride=8)


@pytest.mark.parametrize("keep", [0.2, 0.7])
@pytest.mark.parametrize("compress", ["none", "deflate"])
def test_a_truncated_file(tmp_path, keep, compress):
    folder = scene(tmp_path / "in")
    noise = np.random.default_rng(0).integers(1, 9999, (SIZE, SIZE)).astype(np.uint16)
    path = write(broken(folder, "B2"), noise, compress=compress)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    refused(folder, r"B02\.tif.* (cannot be (read|opened).*truncated|coordinate system none)")


@pytest.mark.parametrize("band", ["B8", "B5"])
def test_sizes_that_differ_between_bands(tmp_path, band):
    folder = scene(tmp_path / "in")
    write(broken(folder, band), image(band)[:-1], RESOLUTION[band])
    refused(folder, rf"\.tif, band {band}: .* pixels with transform .*; expected an exact multiple")


def test_sizes_that_differ_without_coordinates(tmp_path):
    folder = scene(tmp_path / "in")
    for band in BANDS:
        write(broken(folder, band), image(band), crs=None)
    refused(folder, r"B05\.tif, band B5: \(12, 12\) pixels; expected \(24, 24\) as band B\w+, since the files carry no")


def test_another_coordinate_system(tmp_path):
    folder = scene(tmp_path / "in")
    write(broken(folder, "B3"), image("B3"), crs="EPSG:32633")
    refused(folder, r"B03\.tif, band B3: coordinate system .*33N; expected .*32N as band B4 has\. Reproject")


@pytest.mark.parametrize(("resolution", "corner"), [(15, CORNER), (10, (CORNER[0] + 5, CORNER[1])), (20, CORNER)])
def test_another_grid(tmp_path, resolution, corner):
    folder = scene(tmp_path / "in")
    write(broken(folder, "B3"), image("B3"), resolution, corner=corner)
    refused(folder, r"B03\.tif, band B3: .*expected an exact multiple")


def test_a_scene_in_two_splits(tmp_path):
    folder = stacked(tmp_path)
    rows = [
        {"file": "stack.tif", "band": b, "index": i, "scene": "s", "split": "train"} for i, b in enumerate(BANDS, 1)
    ]
    rows[3]["split"] = "test"
    (folder / "bands.yaml").write_text(yaml.safe_dump(rows))
    refused(folder, r"scene 's' stands in splits", table="bands.yaml")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"band": "B88"}, "row 1: band 'B88'; did you mean 'B8'"),
        ({"split": "tset"}, "row 1: split 'tset' is unknown; did you mean 'test'"),
        ({"index": 11}, r"stack\.tif has 10 bands; expected band number 11"),
        ({"index": "x"}, "row 1: index 'x'; expected a whole number"),
        ({"file": "other.tif"}, r"other\.tif does not exist"),
        ({"bnad": "B4"}, "row 1: column 'bnad'; expected columns file, band"),
        ({"file": ""}, "row 1: a row without file or band"),
        ({"index": 0}, "row 1: index 0; expected a whole number from 1"),
        ({"index": 1.7}, r"row 1: index 1\.7; expected a whole number"),
        ({"index": True}, "row 1: index True; expected a whole number"),
    ],
)
def test_a_wrong_table(tmp_path, change, match):
    folder = stacked(tmp_path)
    rows = [{"file": "stack.tif", "band": b, "index": i, "scene": "s"} for i, b in enumerate(BANDS, 1)]
    rows[0] |= change
    (folder / "bands.yaml").write_text(yaml.safe_dump(rows))
    refused(folder, match, table="bands.yaml")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"file,band,band\na.tif,B4,B4\n", "columns file, band, band; expected each once"),
        (b"file,band\na.tif,B4,7\n", "row 1: 3 cells; expected 2"),
        (b"file;band\na.tif;B4\n", "row 1: column 'file;band'"),
        (b'file,band\n"a.tif,B4\n', "cannot be read"),
        ("file,band\nä.tif,B4\n".encode("latin-1"), "cannot be read .*UTF-8"),
        (b"file\0,band\n", "lists no band|cannot be read"),
    ],
)
def test_a_table_that_is_no_sound_csv(tmp_path, content, match):
    folder = stacked(tmp_path)
    (folder / "bands.csv").write_bytes(content)
    refused(folder, rf"bands\.csv.*{match}", table="bands.csv")


@pytest.mark.parametrize(
    "content", ["a: b: c", "- {file: a.tif, file: b.tif}", "!!python/object/apply:os.getcwd []", "7", "- 7", "{[]: 1}"]
)
def test_a_table_that_is_no_sound_yaml(tmp_path, content):
    folder = stacked(tmp_path)
    (folder / "bands.yaml").write_text(content)
    refused(folder, r"bands\.yaml", table="bands.yaml")


def test_a_table_without_rows(tmp_path):
    folder = stacked(tmp_path)
    (folder / "bands.csv").write_text("file,band\n")
    refused(folder, r"bands\.csv lists no band; expected rows of file, band", table="bands.csv")


def test_everything_that_is_wrong_with_a_scene_is_known(tmp_path):
    folder = scene(tmp_path / "in")
    bands = list_bands(settings(folder))["place"]
    broken(folder, "B11").write_bytes(broken(folder, "B5").read_bytes()[:200])
    with pytest.raises(SceneError, match=r"B11\.tif") as caught:
        read_scene(bands)
    found = [(problem.scene, Path(problem.file).name, problem.band) for problem in caught.value.problems]
    assert found == [("place", "T32TNS_B11.tif", "B11")]


def test_a_large_scene_is_cut_block_by_block(tmp_path, monkeypatch):
    whole = build(scene(tmp_path / "in")).load()
    monkeypatch.setattr(geotiff, "_BLOCK", 3)
    assert build(tmp_path / "in").load().identical(whole)


def test_a_scene_smaller_than_a_tile(tmp_path):
    refused(scene(tmp_path / "in"), r"B04\.tif: an image of 24 x 24 pixels; expected at least one tile of 96", tile=96)


def test_an_empty_and_an_absent_folder(tmp_path):
    (tmp_path / "in").mkdir()
    refused(tmp_path / "in", "holds no GeoTIFF")
    refused(tmp_path / "out", "does not exist; expected a folder of GeoTIFFs")
