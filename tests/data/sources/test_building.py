"""Stores by Dask: the bytes of one process, problems listed, and a build that goes on where it ended."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
import rasterio
from distributed import Client, KilledWorker, LocalCluster
from rasterio.transform import Affine

from brew.data.sources import building, building_parts, clusters, geotiff
from brew.data.sources.building import ScenePlan
from brew.data.sources.geotiff import GeotiffSettings
from brew.data.store import open_store
from brew.errors import BrewError
from brew.files import locked
from brew.sensors import SENSORS

BANDS = SENSORS["sentinel2"].bands
TILE = 16
ALL = {"site0/scene0", "site1/scene1", "site0/scene2", "site1/scene3", "site0/scene4", "site0/stack"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Three workers in this process: quick to start, and what a test replaces in a module holds on them too."""
    with LocalCluster(n_workers=3, threads_per_worker=1, processes=False, **clusters.LOCAL) as local:
        yield local.scheduler_address


def write(path: Path, values: np.ndarray, resolution: float, names=(None,), **profile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile |= {"crs": "EPSG:32632", "transform": Affine(resolution, 0, 500_000, 0, -resolution, 5_000_000)}
    count, height, width = values.shape
    shape = {"count": count, "height": height, "width": width}
    with rasterio.open(path, "w", driver="GTiff", dtype=values.dtype, compress="deflate", **shape, **profile) as file:
        file.write(values)
        file.descriptions = names


def pixels(scene: int, band: int, side: int) -> np.ndarray:
    return np.random.default_rng((scene, band)).integers(1, 9999, (1, side, side)).astype(np.uint16)


def band_file(folder: Path, scene: int, band: str) -> Path:
    return folder / f"site{scene % 2}" / f"scene{scene}" / f"T32TNS_{band}.tif"


def write_scene(folder: Path, scene: int) -> None:
    """A file per band at its own resolution; scenes differ in size and share parent folders."""
    for number, band in enumerate(BANDS):
        side = (24 + 4 * scene) * 10 // int(band.resolution_m)
        write(band_file(folder, scene, band.name), pixels(scene, number, side), band.resolution_m)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Five scenes of a file per band, and one in a single file."""
    for scene in range(5):
        write_scene(tmp_path / "in", scene)
    stack = np.concatenate([pixels(9, number, 20) for number in range(len(BANDS))])
    write(tmp_path / "in" / "site0" / "stack.tif", stack, 10, tuple(band.name for band in BANDS))
    return tmp_path / "in"


def settings(folder: Path, **changes) -> GeotiffSettings:
    return GeotiffSettings(**{"folder": folder, "licence": "own", "tile": TILE, "stride": 12, **changes})


def contents(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def expected(folder: Path, **changes) -> dict[str, bytes]:
    """What one process makes of the same folder."""
    store = folder.parent / "expected.zarr"
    geotiff.build(store, settings(folder, **changes))
    return contents(store)


def left_beside(store: Path) -> set[str]:
    return {path.name for path in store.parent.glob(f"*{store.name}*")}


@pytest.fixture
def scenes_read(monkeypatch) -> list[str]:
    """Names of the scenes that workers have read."""
    names, read = [], building.read_checked_scene

    def noted(bands, settings):
        names.append(bands["B4"].scene)
        return read(bands, settings)

    monkeypatch.setattr(building, "read_checked_scene", noted)
    return names


def test_the_store_is_that_of_one_process(folder, cluster, capsys):
    store = folder.parent / "store.zarr"
    building.build(store, settings(folder), cluster=cluster)
    assert contents(store) == expected(folder)
    assert set(open_store(store)["origin"].values) == ALL
    assert left_beside(store) == {"store.zarr"}
    assert capsys.readouterr().err == ""  # no progress bars in a log


def test_a_command_builds_with_processes(folder, capsys):
    store = folder.parent / "store.zarr"
    options = ["--licence", "own", "--tile", str(TILE), "--stride", "12", "--workers", "2"]
    assert building.main([str(folder), str(store), *options]) == 0
    assert contents(store) == expected(folder)
    assert building.main([str(folder), str(store), *options]) == 1
    assert "store.zarr exists; expected no store there" in capsys.readouterr().err


def test_a_table_names_bands_scenes_and_splits(folder, cluster):
    rows = [
        {"file": band_file(folder, scene, band.name).relative_to(folder), "band": band.name, "scene": f"s{scene}",
         "split": "test" if scene else "train"}
        for scene in (3, 0) for band in reversed(BANDS)
    ]  # fmt: skip
    with (folder / "bands.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    store = folder.parent / "store.zarr"
    building.build(store, settings(folder, table="bands.csv"), cluster=cluster)
    assert contents(store) == expected(folder, table="bands.csv")


def test_problems_are_listed_and_what_could_be_read_is_kept(folder, cluster, scenes_read):
    store = folder.parent / "store.zarr"
    band_file(folder, 0, "B8A").unlink()
    cut = band_file(folder, 1, "B2")
    cut.write_bytes(cut.read_bytes()[:600])
    for band in ("B3", "B11"):
        write(band_file(folder, 2, band), np.zeros((1, 8, 8), np.int32), 7)
    band_file(folder, 3, "B4").write_bytes(b"no image")
    with pytest.raises(BrewError, match=r"listed in .*store\.zarr\.problems\.csv: correct the files"):
        building.build(store, settings(folder), cluster=cluster)

    with store.with_name("store.zarr.problems.csv").open(newline="") as stream:
        rows = [tuple(row.values()) for row in csv.DictReader(stream)]
    places = [(scene, Path(file).name, band) for scene, file, band, _ in rows]
    assert places == [
        ("", "T32TNS_B4.tif", ""),
        ("site0/scene0", "scene0", "B8A"),
        ("site0/scene2", "T32TNS_B11.tif", "B11"),
        ("site0/scene2", "T32TNS_B3.tif", "B3"),
        ("site1/scene1", "T32TNS_B2.tif", "B2"),
        ("site1/scene3", "scene3", "B4"),
    ]
    expected_errors = ("cannot be opened", "missing", "exact multiple", "exact multiple", "cannot be", "missing")
    for (*_, error), said in zip(rows, expected_errors, strict=True):
        assert said in error
    assert not store.exists() and set(scenes_read) >= {"site0/scene4", "site0/stack"}

    scenes_read.clear()
    for scene in range(4):
        write_scene(folder, scene)
    building.build(store, settings(folder), cluster=cluster)
    assert sorted(scenes_read) == ["site0/scene0", "site0/scene2", "site1/scene1", "site1/scene3"]
    assert contents(store) == expected(folder) and left_beside(store) == {"store.zarr"}


def test_a_build_goes_on_where_it_was_stopped(folder, scenes_read, monkeypatch):
    store, counted = folder.parent / "store.zarr", building.read_checked_scene

    def stopped(bands, settings):
        if len(scenes_read) == 3:
            raise RuntimeError("the machine was switched off")
        return counted(bands, settings)

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **clusters.LOCAL) as local:
        monkeypatch.setattr(building, "read_checked_scene", stopped)
        with pytest.raises(RuntimeError, match="switched off"):
            building.build(store, settings(folder), cluster=local.scheduler_address)
        assert not store.exists()

        monkeypatch.setattr(building, "read_checked_scene", counted)
        done = set(scenes_read)
        scenes_read.clear()
        write_scene(folder, 0)  # the same pixels in a file of another time: who knows
        building.build(store, settings(folder), cluster=local.scheduler_address)
    assert len(done) == 3 and set(scenes_read) == ALL - done | {"site0/scene0"}
    assert contents(store) == expected(folder)


@pytest.mark.parametrize("change", ["settings", "file", "none"])
def test_a_part_is_valid_for_the_files_and_tiles_it_was_made_from(folder, tmp_path, change, scenes_read):
    chosen = settings(folder)
    again = list(geotiff.list_bands(chosen)["site0/scene0"].values())
    assert building_parts.read_part(again, ScenePlan(chosen), tmp_path) == []
    if change == "file":
        write(band_file(folder, 0, "B4"), pixels(77, 0, 24), 10)
    other = settings(folder, tile=8, stride=8) if change == "settings" else chosen
    building_parts.read_part(again, ScenePlan(other), tmp_path)
    assert len(scenes_read) == (1 if change == "none" else 2)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: data.replace(b"\x01", b"\x02")])
def test_a_damaged_part_is_removed_and_said(folder, tmp_path, damage):
    files = geotiff.list_bands(settings(folder))["site0/stack"]
    building_parts.read_part(list(files.values()), ScenePlan(settings(folder)), tmp_path)
    part = building_parts.Part.of(tmp_path, "site0/stack")
    part.file.write_bytes(damage(part.file.read_bytes()))
    with pytest.raises(BrewError, match=r"part of 'site0/stack', is damaged .*Run again"):
        part.array("values")
    assert not part.file.exists()


def test_a_second_build_of_the_same_store_waits_outside(folder, cluster):
    store = folder.parent / "store.zarr"
    folder_of_parts = store.with_name(".parts-store.zarr")
    folder_of_parts.mkdir()
    with locked(folder_of_parts / "lock", ""), pytest.raises(BrewError, match="being built by another process"):
        building.build(store, settings(folder), cluster=cluster)


def test_no_cluster_at_the_address(folder, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.2)
    with pytest.raises(BrewError, match=r"tcp://127\.0\.0\.1:9: no cluster with a worker answered .*dask scheduler"):
        building.build(folder.parent / "store.zarr", settings(folder), cluster="tcp://127.0.0.1:9")


def test_a_cluster_without_workers(folder, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.2)
    with (
        LocalCluster(n_workers=0, processes=False, **clusters.LOCAL) as empty,
        pytest.raises(BrewError, match="no cluster with a worker answered"),
    ):
        building.build(folder.parent / "store.zarr", settings(folder), cluster=empty.scheduler_address)


def test_workers_have_to_see_the_folders(tmp_path, cluster):
    expected = r"elsewhere does not exist for worker .* and 2 others; expected a folder that all machines share"
    with Client(cluster) as client, pytest.raises(BrewError, match=expected):
        clusters.check_shared(client, (tmp_path, tmp_path / "elsewhere"))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({}, "holds no GeoTIFF"),
        ({"licence": " "}, "licence is empty"),
        ({"stride": 17}, "stride of 17"),
        ({"table": "bands.csv"}, "bands.csv does not exist"),
    ],
)
def test_wrong_settings_end_before_anything_is_started(tmp_path, changes, match):
    (tmp_path / "in").mkdir()
    with pytest.raises(BrewError, match=match):
        building.build(tmp_path / "store.zarr", settings(tmp_path / "in", **changes), cluster="nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_less_than_one_worker_is_refused_at_once(folder, workers, capsys):
    options = ["--licence", "own", "--workers", workers]
    assert building.main([str(folder), str(folder.parent / "store.zarr"), *options]) == 1
    assert f"{workers} workers; expected 1 at least" in capsys.readouterr().err
    assert [path.name for path in folder.parent.iterdir()] == ["in"]


def test_the_scheduler_is_lost(monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.5)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **clusters.LOCAL) as local,
        pytest.raises(BrewError, match=r"inproc.*the scheduler was lost .*run again: what was read is kept"),
        clusters.connected(None, local.scheduler_address) as client,
    ):
        for _ in clusters.in_window(client, time.sleep, [0.1] * 50):
            local.close()


def test_no_worker_is_left(monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.1)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **clusters.LOCAL) as local,
        Client(local) as client,
        pytest.raises(BrewError, match=r"the cluster has had no worker for 0\.1 s"),
    ):
        for _ in clusters.in_window(client, time.sleep, [0.2] * 50):
            local.scale(0)


def test_work_that_runs_out_of_time_is_no_lost_worker(cluster, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.1)
    with Client(cluster) as client:
        assert [result for _, result in clusters.in_window(client, time.sleep, [0.3])] == [None]
        with pytest.raises(TimeoutError, match="the file system"):
            list(clusters.in_window(client, _late, [0]))


def _late(_):
    raise TimeoutError("the file system did not answer")


def test_few_items_are_under_way_at_a_time(cluster):
    drawn = []
    items = (drawn.append(item) or item for item in range(100))
    with Client(cluster) as client:
        results = {}
        for done, (item, result) in enumerate(clusters.in_window(client, abs, items)):
            assert len(drawn) - done <= 3 * clusters.PER_THREAD
            results[item] = result
    assert results == {item: item for item in range(100)}


def test_an_item_on_which_workers_die_does_not_end_the_others():
    crash = "__import__('os')._exit(1)"
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        clusters.connected(1, None) as client,
    ):
        results = dict(clusters.in_window(client, eval, ["1 + 1", crash, "2 + 2", "3 + 3"]))
    assert isinstance(results.pop(crash), KilledWorker)
    assert results == {"1 + 1": 2, "2 + 2": 4, "3 + 3": 6}
