"""A scene's features: on its own grid, without seams, in whatever pieces, and files that go on after a kill."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr

import brew
from brew import feature_files
from brew.embedding import student_hash
from brew.errors import BrewError
from brew.maps import decoded
from brew.models.student import Student, build_student
from brew.sensors import SENSORS

NAMES = SENSORS["sentinel2"].band_names

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own


@pytest.fixture(scope="module")
def student() -> Student:
    return build_student("swin-nano", seed=0).eval()


@pytest.fixture(scope="module")
def shifted() -> Student:
    """Whose every other block has shifted windows."""
    return build_student("swin-micro", seed=0).eval()


def scene(height: int, width: int, names: tuple[str, ...] = NAMES) -> xr.DataArray:
    values = np.random.default_rng(0).integers(200, 4000, (10, height, width), dtype=np.uint16)
    ordered = np.stack([values[NAMES.index(name)] for name in names])
    y, x = 5_000_000 - 10 * np.arange(height), 400_000 + 10 * np.arange(width)
    return xr.DataArray(ordered, dims=("band", "y", "x"), coords={"band": list(names), "y": y, "x": x})


class Opened:
    """An image that is open already, with a hole and a count of what was read."""

    crs = "EPSG:32632"
    record = {"source": "made here", "offset": 0, "bands": ["B4"]}  # noqa: RUF012

    def __init__(self, height: int, width: int, hole: tuple[slice, slice] = np.s_[0:0, 0:0], ends: int = 10**9):
        array = scene(height, width)
        self.values, self.shape = array.values.astype(np.float32), (height, width)
        self.valid = np.ones(self.shape, bool)
        self.valid[hole] = False
        self.y, self.x, self.left = array["y"].values.astype(float), array["x"].values.astype(float), ends

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return self.values[:, rows, columns], self.valid[rows, columns]


def cosine_distance(one: Any, other: Any) -> float:
    pair = [torch.from_numpy(np.asarray(each)).double() for each in (one, other)]
    return float((1 - torch.cosine_similarity(*pair, 0)).max())


def test_the_function_keeps_its_name_whatever_was_imported_before() -> None:
    importlib.import_module("brew.compendium.scene_features")
    assert callable(brew.embed) and not hasattr(brew.embed, "__path__")


@pytest.mark.parametrize("trunk", ["swin-micro", "vit-micro"])
def test_a_scene_of_one_window_is_what_the_student_gives(trunk: str) -> None:
    image, student = Opened(64, 64), build_student(trunk, seed=0).eval()
    for stride in (4, 16):
        found = brew.embed(image, student, stride=stride)["features"]
        with torch.no_grad():
            expected = student(torch.from_numpy(image.values)[None]).maps[f"stride{stride}"][0]
        assert found.dims == ("feature", "y", "x")
        np.testing.assert_allclose(found.values, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(33, 70), (100, 40), (161, 129)])
@pytest.mark.parametrize("stride", [4, 32])
def test_every_size_is_covered_and_keeps_its_place(student: Student, height: int, width: int, stride: int) -> None:
    image = Opened(height, width)
    found = brew.embed(image, student, stride=stride, tile=32)
    assert found["features"].shape == (student.channels[f"stride{stride}"], -(-height // stride), -(-width // stride))
    assert np.isfinite(found["features"].values).all() and (found["valid"] == 1).all()
    # A cell's centre is the mean of its pixels' centres.
    assert found["x"].values[0] == pytest.approx(image.x[:stride].mean())
    assert found["y"].values[1] == pytest.approx(found["y"].values[0] - 10 * stride)


@pytest.mark.parametrize("stride", [4, 32])
def test_features_do_not_depend_on_where_a_scene_is_cut(shifted: Student, stride: int) -> None:
    """Bar: 0.02. At stride 32, windows have 128 px."""
    image = Opened(512, 448)
    whole = brew.embed(image, shifted, stride=stride, tile=32)["features"]
    for tile in (64, 512):
        assert cosine_distance(whole, brew.embed(image, shifted, stride=stride, tile=tile)["features"]) < 1e-6
    with torch.no_grad():
        plain = shifted(torch.from_numpy(image.values)[None]).maps[f"stride{stride}"][0]
    assert cosine_distance(whole, plain) < 1e-6


def test_the_same_ground_has_the_same_features_in_a_larger_scene(shifted: Student) -> None:
    """If both begin where windows do; near the border of the smaller one its surroundings lack."""
    image = Opened(320, 256)
    part = Opened(128, 128)
    part.values = image.values[:, 128:256, 64:192]
    whole, inner = (brew.embed(each, shifted, stride=8)["features"].values for each in (image, part))
    assert cosine_distance(whole[:, 20:28, 12:20], inner[:, 4:12, 4:12]) < 1e-6


def test_a_vit_shows_no_seam_where_its_windows_meet() -> None:
    image, vit = Opened(160, 160), build_student("vit-micro", seed=0).eval()
    image.values[:] = 1500
    found = brew.embed(image, vit, stride=8)["features"]
    inner = found.values[:, 8:-8, 8:-8]
    steps = np.abs(np.diff(inner, axis=2)).max((0, 1))
    assert steps.max() < 3 * np.median(steps)
    assert cosine_distance(found, brew.embed(image, vit, stride=8, tile=512)["features"]) < 1e-6


def test_cells_without_values_are_nan_and_said(student: Student) -> None:
    hole = np.s_[8:16, 0:6]  # two cells whole, of the next two half
    found = brew.embed(Opened(64, 64, hole), student)
    assert found["valid"].values[2:4, :3].tolist() == [[0, 0.5, 1]] * 2
    assert (
        np.isnan(found["features"].values[:, 2:4, 0]).all() and np.isfinite(found["features"].values[:, 2:4, 1]).all()
    )
    stricter = brew.embed(Opened(64, 64, hole), student, invalid=0.4)["features"]
    assert np.isnan(stricter.values).sum() == 4 * stricter.sizes["feature"]
    coarse = brew.embed(Opened(72, 64, hole), student, stride=32)["valid"]
    assert coarse.values.tolist() == [[1 - 48 / 1024, 1], [1, 1], [1, 1]]


def test_the_result_says_what_was_assumed_and_of_which_student(student: Student) -> None:
    told = brew.embed(Opened(64, 64), student, stride=8).attrs
    assert told == {
        "source": "made here", "offset": 0, "bands": '["B4"]', "sensor": "sentinel2", "map": "stride8", "stride": 8,
        "student": student_hash(student), "trunk": "swin-nano", "version": brew.__version__,
    }  # fmt: skip
    assert told["student"] != student_hash(build_student("swin-nano", seed=1))


@pytest.mark.parametrize("ending", ["zarr", "tif"])
@pytest.mark.parametrize(("dtype", "bar"), [("float32", 1e-12), ("float16", 1e-6), ("int8", 1e-4)])
def test_files_hold_the_features_with_the_error_that_they_state(
    student: Student, tmp_path: Path, ending: str, dtype: str, bar: float
) -> None:
    image = Opened(70, 100, np.s_[:8, :8])
    expected = brew.embed(image, student)
    found = brew.embed(image, student, out=tmp_path / f"features.{ending}", dtype=dtype)
    values = decoded(found)
    assert values.dtype == np.float32 and list(tmp_path.iterdir()) == [tmp_path / f"features.{ending}"]
    np.testing.assert_array_equal(np.isnan(values), np.isnan(expected["features"]))
    assert cosine_distance(values.fillna(1), expected["features"].fillna(1)) <= bar
    if dtype != "float32":
        stated = float(found.attrs["error_largest_cosine_distance"])
        there = np.isfinite(expected["features"].values).all(0)
        measured = cosine_distance(values.values[:, there], expected["features"].values[:, there])
        assert (
            stated == pytest.approx(measured, abs=3e-7) and float(found.attrs["error_mean_cosine_distance"]) <= stated
        )
    np.testing.assert_allclose(values["x"], expected["x"])
    np.testing.assert_allclose(values["y"], expected["y"])
    assert found.rio.crs.to_epsg() == 32632 and str(found.attrs["stride"]) == "4"
    in_memory = brew.embed(image, student, dtype=dtype)
    np.testing.assert_array_equal(decoded(in_memory), values)


def test_a_geotiff_opens_where_it_lies_with_bands_that_have_names(student: Student, tmp_path: Path) -> None:
    brew.embed(Opened(70, 100), student, out=tmp_path / "features.tif")
    with rasterio.open(tmp_path / "features.tif") as file:
        assert file.descriptions[:2] == ("stride4 feature 0", "stride4 feature 1") and np.isnan(file.nodata)
        assert tuple(file.transform)[:6] == (40, 0, 399_995, 0, -40, 5_000_005) and file.tags()["trunk"] == "swin-nano"
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with pytest.raises(BrewError, match="is there; expected a free name"):
        brew.embed(Opened(70, 100), student, out=tmp_path / "features.tif")


@pytest.mark.parametrize("ending", ["zarr", "tif"])
def test_an_interrupted_file_goes_on_to_the_same_bits(
    shifted: Student, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_files, "_CHUNK_CELLS", 8)
    out, options = tmp_path / f"features.{ending}", {"stride": 8, "tile": 32}
    with pytest.raises(KeyboardInterrupt):
        brew.embed(Opened(320, 64, ends=11), shifted, out=out, **options)
    (left,) = tmp_path.iterdir()
    some = xr.open_zarr(left, consolidated=False)
    written = int(np.isfinite(some["features"].values).all((0, 2)).sum())
    assert 0 < written < 40 and some.attrs["complete"] == 0
    again = Opened(320, 64)
    found = brew.embed(again, shifted, out=out, **options)
    expected = brew.embed(Opened(320, 64), shifted, out=tmp_path / f"whole.{ending}", **options)
    np.testing.assert_array_equal(found["features"], expected["features"])
    np.testing.assert_array_equal(found["features"], brew.embed(Opened(320, 64), shifted, **options)["features"])
    if ending == "zarr":  # a whole one is opened as it is
        once = Opened(320, 64)
        brew.embed(once, shifted, out=out, **options)
        assert 10**9 - once.left < 7


class Disturbed(Opened):
    """An image whose ninth window is read while a second call writes the same result."""

    def __init__(self, again: Any):
        super().__init__(320, 64)
        self.again, self.said, self.count = again, "", 0

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        self.count += 1
        if self.count == 9:
            with pytest.raises(BrewError) as refused:
                self.again()
            self.said = str(refused.value)
        return super().read(rows, columns)


@pytest.mark.parametrize("ending", ["zarr", "tif"])
def test_a_second_call_that_writes_the_same_result_is_refused(student: Student, tmp_path: Path, ending: str) -> None:
    out, options = tmp_path / "new" / f"features.{ending}", {"stride": 8, "tile": 32}
    image = Disturbed(lambda: brew.embed(Opened(320, 64), student, out=out, **options))
    found = brew.embed(image, student, out=out, **options)
    assert "is being written by another process; expected one. Wait for it" in image.said and "\n" not in image.said
    np.testing.assert_array_equal(found["features"], brew.embed(Opened(320, 64), student, **options)["features"])
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_what_is_there_and_was_made_otherwise_is_left_alone(student: Student, tmp_path: Path) -> None:
    out = tmp_path / "features.zarr"
    with pytest.raises(KeyboardInterrupt):
        brew.embed(Opened(320, 64, ends=8), student, out=out, tile=32)
    for image, other, options, said in [
        (Opened(320, 64), build_student("swin-nano", seed=1).eval(), {}, "another student"),
        (Opened(320, 64, np.s_[:4, :4]), student, {}, "another pixels"),
        (Opened(320, 68), student, {}, "another image, pixels"),
        (Opened(320, 64), student, {"invalid": 0.2, "dtype": "float16"}, "another dtype, share of invalid pixels"),
    ]:
        with pytest.raises(BrewError, match=f"{said}; .* Remove features.zarr, or name another `out`"):
            brew.embed(image, other, out=out, tile=32, **options)
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(BrewError, match=r"no result of brew.embed; .* Name another `out`"):
        brew.embed(Opened(64, 64), student, out=tmp_path / "mine.zarr")


def test_any_number_of_threads_gives_the_same_bits(shifted: Student) -> None:
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(brew.embed(Opened(256, 320), shifted, stride=16)["features"].values)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(*found)


def test_bands_are_found_by_name_in_a_geotiff(student: Student, tmp_path: Path) -> None:
    names = ("B12", "B2", "B3", "B4", "B1", "B5", "B6", "B7", "B8", "B8A", "B11")
    image, path = scene(64, 64), tmp_path / "scene.tif"
    profile = {
        "driver": "GTiff", "height": 64, "width": 64, "count": len(names), "dtype": "uint16", "crs": "EPSG:32632",
        "transform": rasterio.transform.from_origin(399_995, 5_000_005, 10, 10),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for number, name in enumerate(names, 1):
            file.write(image.sel(band=name).values if name in NAMES else np.full((64, 64), 7, dtype=np.uint16), number)
            file.set_band_description(number, name)
    found, expected = brew.embed(path, student), brew.embed(image, student)
    np.testing.assert_array_equal(found["features"], expected["features"])
    np.testing.assert_allclose(found["x"], expected["x"])
    assert found.rio.crs.to_epsg() == 32632


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 5}, "no map 'stride5'; did you mean"),
        ({"tile": 100}, "expected multiples of 32"),
        ({"invalid": 1.5}, "expected a share"),
        ({"dtype": "int16"}, "dtype 'int16' is unknown; did you mean 'int8'"),
        ({"out": "features.nc"}, "expected .tif or .zarr"),
        ({"sensor": "sentinel3"}, "sensor 'sentinel3' is unknown"),
        ({"offset": 0}, "open already, with offset"),
    ],
)
def test_unsound_settings_are_refused_before_anything_is_computed(
    student: Student, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BrewError, match=message):
        brew.embed(Opened(64, 64), student, **options)


def test_values_in_another_unit_are_refused_before_anything_is_written(student: Student, tmp_path: Path) -> None:
    image = Opened(64, 64)
    image.values /= 10000
    with pytest.raises(BrewError, match="look like fractions"):
        brew.embed(image, student, out=tmp_path / "features.zarr")
    assert not list(tmp_path.iterdir())
