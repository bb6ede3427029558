"""`brew embed` from the shell: a file is written, and the reader is told what the command line says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr

from brew.compendium import scene_features
from brew.models.student import build_student, save_student
from brew.sensors import SENSORS


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own
def test_a_scene_becomes_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = SENSORS["sentinel2"].band_names
    profile = {
        "driver": "GTiff", "height": 64, "width": 96, "count": 10, "dtype": "uint16", "crs": "EPSG:32632",
        "transform": rasterio.transform.from_origin(399_995, 5_000_005, 10, 10),
    }  # fmt: skip
    with rasterio.open(tmp_path / "scene.tif", "w", **profile) as file:
        file.write(np.random.default_rng(0).integers(200, 3000, (10, 64, 96), dtype=np.uint16))
        file.descriptions = names
    save_student(tmp_path / "student.pt", build_student("swin-nano", seed=0))
    words = ["scene.tif", "--student", "student.pt", "--out", "features.zarr"]
    given = [str(tmp_path / word) if "." in word else word for word in words]
    assert scene_features.main([*given, "--stride", "8", "--dtype", "int8"]) == 0
    assert capsys.readouterr().out.endswith("features.zarr written: 32 features, a value per 8 px\n")
    found = xr.open_zarr(tmp_path / "features.zarr", consolidated=False)
    assert found["features"].shape == (32, 8, 12) and found.attrs["complete"] == 1


def test_the_reader_is_told_what_the_command_line_says(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(scene_features, "load_student", str)
    empty = xr.Dataset({"features": (("feature", "y", "x"), np.zeros((2, 1, 1)))})
    monkeypatch.setattr(scene_features, "embed", lambda *_, **options: told.update(options) or empty)
    begin = ["scene.tif", "--student", "s.pt", "--out", "f.tif"]
    scene_features.main([*begin, "--bands", "L1C-13", "--offset", "-1000", "--mask", "3,8", "--invalid", "0.2"])
    assert {name: value for name, value in told.items() if value is not None} == {
        "image": "scene.tif", "student": "s.pt", "sensor": "sentinel2", "stride": 4, "tile": 128, "device": "cpu",
        "out": Path("f.tif"), "invalid": 0.2, "dtype": "float32", "bands": "L1C-13", "offset": -1000.0, "mask": [3, 8],
    }  # fmt: skip
