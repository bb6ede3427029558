"""What one does with features: planted classes, places, changes and shifts are found."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brew import maps
from brew.errors import BrewError
from brew.feature_files import encoding
from brew.models.student import Student, build_student

pytest.importorskip("geopandas")

#: A map of three kinds of ground in stripes that no block holds all of.
planted = np.add.outer(np.arange(48) // 6, np.arange(64) // 8) % 3


def features(noise: float = 0.3, crs: str | None = "EPSG:32632") -> xr.Dataset:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(3, 6))
    values = (centres[planted] + noise * generator.normal(size=(*planted.shape, 6))).astype(np.float32)
    values[0, 0] = np.nan
    coords = {"y": 5_000_000 - 40.0 * np.arange(48), "x": 400_000 + 40.0 * np.arange(64)}
    made = xr.Dataset({"features": (("feature", "y", "x"), values.transpose(2, 0, 1))}, coords, {"stride": 4})
    return made if crs is None else made.rio.write_crs(crs)


def geojson(path: Path, cells: list[tuple[int, int]], crs: str = "EPSG:32632") -> Path:
    """Labelled points in the cells, in degrees, as GeoJSON has them."""
    import geopandas

    scene = features()
    places = geopandas.points_from_xy(
        [float(scene["x"][column]) + 15 for _, column in cells], [float(scene["y"][row]) - 15 for row, _ in cells]
    )
    names = [["water", "wood", "field"][planted[cell]] for cell in cells]
    geopandas.GeoDataFrame({"class": names}, geometry=places, crs=crs).to_crs("EPSG:4326").to_file(path)
    return path


class Date:
    """An opened image: smooth ground, moved, changed and brightened as asked."""

    crs = "EPSG:32632"

    def __init__(
        self, moved: tuple[float, float] = (0, 0), changed: bool = False, noise_seed: int = 1, left: float = 0
    ):
        generator = np.random.default_rng(0)
        spectrum = np.fft.fft2(generator.normal(size=(10, 128, 128)))
        rows, columns = np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None]
        smooth = np.exp(-((rows**2 + columns**2) / 0.02)) * np.exp(-2j * np.pi * (rows * moved[0] + columns * moved[1]))
        ground = np.fft.ifft2(spectrum * smooth).real
        self.values = (1500 + 300 * ground / ground.std()).astype(np.float32)
        self.values += np.random.default_rng(noise_seed).normal(0, 10, self.values.shape).astype(np.float32)
        if changed:
            self.values[:, 40:64, 72:104] = 4000 + 100 * np.arange(10)[:, None, None]
        self.shape, self.record = (128, 128), {"source": f"date {noise_seed}"}
        self.y, self.x = 5_000_000 - 10.0 * np.arange(128), left + 10.0 * np.arange(128)

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        values = self.values[:, rows, columns]
        return values, np.ones(values.shape[1:], bool)


@pytest.fixture(scope="module")
def student() -> Student:
    return build_student("swin-nano", seed=0).eval()


def test_the_picture_shows_planted_ground_in_planted_colours() -> None:
    shown = maps.picture(features(noise=0.01), 2)
    assert shown.dims == ("y", "x", "component") and float(shown.min()) == 0 and float(shown.max()) == 1
    assert np.isnan(shown.values[0, 0]).all() and np.isfinite(shown.values[1:]).all()
    assert sum(shown.attrs["explained_variance"]) > 0.99
    within = [shown.values[planted == kind][1:].std(0).max() for kind in range(3)]
    between = np.std([np.nanmean(shown.values[planted == kind], 0) for kind in range(3)], 0).min()
    assert max(within) < 0.1 < between
    with pytest.raises(BrewError, match="take fewer"):
        maps.picture(features(), 7)


def test_the_place_itself_is_most_similar_and_its_kind_comes_next() -> None:
    alike = maps.similarity(features(noise=0.05), x=400_000 + 40 * 20 + 19, y=5_000_000 - 40 * 10 + 19)
    assert float(alike[10, 20]) == pytest.approx(1, abs=1e-6) == float(alike.max())
    same = planted == planted[10, 20]
    same[0, 0] = False
    assert alike.values[same].min() > np.nanmax(alike.values[planted != planted[10, 20]])
    for x, y, said in (
        (0, 0, "lies outside the features; expected x from 400000"),
        (400_000, 5_000_000, "no features"),
    ):
        with pytest.raises(BrewError, match=said):
            maps.similarity(features(), x=x, y=y)


def test_clusters_are_the_planted_kinds() -> None:
    found = maps.clusters(features(), 3)
    assert found.dtype == np.int16 and int(found[0, 0]) == -1 and found.rio.crs.to_epsg() == 32632
    table = np.zeros((3, 3))
    np.add.at(table, (planted.ravel()[1:], found.values.ravel()[1:]), 1)
    assert (table.max(0) / table.sum(0)).min() > 0.95 and sorted(table.argmax(1)) == [0, 1, 2]


def test_a_planted_map_of_classes_is_found_from_points_in_degrees(tmp_path: Path) -> None:
    cells = [(row, column) for row in range(2, 48, 5) for column in range(1, 64, 7)]
    found = maps.classes(features(), geojson(tmp_path / "points.geojson", cells))
    assert found.attrs["names"] == ["field", "water", "wood"] and found.attrs["points"] == len(cells)
    assert found.attrs["blocks"] >= 9 and found.attrs["balanced_accuracy"] > 0.9
    right = np.array([1, 2, 0])[planted]
    assert (found.values == right).mean() > 0.95 and int(found[0, 0]) == -1


def test_the_score_is_of_blocks_that_were_left_out(tmp_path: Path) -> None:
    """Features that tell the block and nothing else: points alone would seem right, blocks show that they are not."""
    scene = features()
    where = np.stack(np.broadcast_arrays(np.arange(48)[:, None] // 12, np.arange(64)[None] // 12)).astype(np.float32)
    scene["features"] = ("feature", "y", "x"), np.concatenate([where, where**2, where**3]) * 10
    cells = [(row, column) for row in range(1, 48, 3) for column in range(1, 64, 3)]
    found = maps.classes(scene, geojson(tmp_path / "points.geojson", cells), block=40 * 12)
    assert found.attrs["balanced_accuracy"] < 0.5


def test_points_that_do_not_suffice_are_refused(tmp_path: Path) -> None:
    path = geojson(tmp_path / "points.geojson", [(1, 1), (1, 10)])
    with pytest.raises(BrewError, match=r"2 of 2 points have features, of 2 classes in 1 blocks; .* lower `block`"):
        maps.classes(features(), path)
    with pytest.raises(BrewError, match="no column 'clas'; did you mean 'class'"):
        maps.classes(features(), path, "clas")
    with pytest.raises(BrewError, match="no coordinate system; expected both or none"):
        maps.classes(features(crs=None), path)
    shape = json.loads(path.read_text())
    shape["features"][0]["geometry"] = {"type": "LineString", "coordinates": [[9, 45], [9.1, 45]]}
    path.write_text(json.dumps(shape))
    with pytest.raises(BrewError, match=r"expected points\. Take centroids"):
        maps.classes(features(), path)


def test_maps_of_codes_are_maps_of_what_they_stand_for() -> None:
    scene = features()
    stored = encoding("int8", lambda: [scene["features"].values.reshape(6, -1)[:, 1:]])
    assert stored.scale is not None and stored.offset is not None
    coded = scene.assign(
        features=(("feature", "y", "x"), stored.encode(scene["features"].values)),
        scale=("feature", stored.scale), offset=("feature", stored.offset),
    )  # fmt: skip
    assert float(np.abs(maps.decoded(coded) - scene["features"]).max()) <= float(stored.scale.max()) / 2 * 1.001
    one, other = (maps.similarity(each, x=400_400, y=4_999_600) for each in (scene, coded))
    assert float(np.abs(one - other).max()) < 0.05 and np.isnan(other.values[0, 0])


@pytest.mark.parametrize("moved", [(0, 0), (3, -5), (-0.4, 0.7)])
def test_a_planted_shift_is_measured(moved: tuple[float, float]) -> None:
    assert maps.registration(Date(), Date(moved, noise_seed=2)) == pytest.approx(moved, abs=0.1)


def test_a_planted_change_is_found_beside_stable_ground(student: Student) -> None:
    altered = np.zeros((32, 32), bool)
    altered[10:16, 18:26] = True
    found = maps.change(Date(), Date(changed=True, noise_seed=2), student)
    assert found["changed"].values[altered].all() and found["changed"].values[~altered].mean() < 0.1
    assert abs(found.attrs["shift_rows"]) < 0.1 and "median plus 3 deviations" in found.attrs["threshold_from"]
    known = maps.change(Date(), Date(changed=True, noise_seed=2), student, stable=~altered, alarms=0.02)
    assert known["changed"].values[~altered].mean() == pytest.approx(0.02, abs=0.002)
    assert known["changed"].values[altered].all() and known.rio.crs.to_epsg() == 32632
    assert known.attrs["before"] == "{'source': 'date 1'}"


class Window(Date):
    """The later date, of which the first rows and the last columns are missing."""

    def __init__(self, rows: int, columns: int):
        super().__init__(changed=True, noise_seed=2)
        self.values = self.values[:, rows:, : 128 - columns]
        self.shape, self.y, self.x = self.values.shape[1:], self.y[rows:], self.x[: 128 - columns]


def test_dates_of_other_extents_are_compared_where_both_show_ground(student: Student) -> None:
    found = maps.change(Date(), Window(32, 16), student)
    assert found.sizes == {"y": 24, "x": 28} and found["y"].values[0] == 5_000_000 - 320 - 15
    assert found["changed"].values[2:8, 18:26].all() and abs(found.attrs["shift_rows"]) < 0.1
    turned = maps.change(Window(32, 16), Date(), student)
    np.testing.assert_allclose(turned["distance"], found["distance"], atol=1e-5)


def test_dates_that_do_not_fit_are_refused(student: Student) -> None:
    with pytest.raises(BrewError, match=r"lies \+3\.\d+ rows and -5\.\d+|lies \+2\.9\d rows and -4\.9\d"):
        maps.change(Date(), Date((3, -5), noise_seed=2), student)
    command = r"gdalwarp -t_srs EPSG:32632 -te -5 4998725 1275 5000005 -tr 10 10 -r bilinear"
    with pytest.raises(BrewError, match=rf"different grids: .*{command}"):
        maps.change(Date(), Date(left=5), student)
    with pytest.raises(BrewError, match="no common ground"):
        maps.change(Date(), Date(left=10_000), student)
    other = Date()
    other.crs = "EPSG:32633"
    with pytest.raises(BrewError, match=r"different coordinate systems \(EPSG:32632, EPSG:32633\).*gdalwarp"):
        maps.change(Date(), other, student)
    with pytest.raises(BrewError, match=r"stable ground of \(2, 2\) cells; expected \(32, 32\)"):
        maps.change(Date(), Date(), student, stable=np.ones((2, 2), bool))
