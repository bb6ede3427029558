#!/usr/bin/env bash
# rioxarray 0.19.0 and odc-geo 0.5.3: beside a reprojected scene one puts the brightest value, the other puts 0.
#
# One would guess that pixels that a reprojected scene does not reach are 0, or at least alike in libraries of one kind.
# A file of digital numbers in uint16 that declares no nodata value is valid, and ESA's own bands of Sentinel-2 are so.
# Seen here, from zone 32 to zone 33 of UTM: the corners hold 65535 by rioxarray, which is a saturated pixel in
# Sentinel-2's products, and 0 by odc-geo and by rasterio's WarpedVRT. With uint8 the corners are 255, a white roof.
# Which of the two a pipeline masks decides whether the corners count as data: a mask of 0 leaves the 65535 in.
# In Earth observation neighbouring tiles lie in different zones, so that scenes are reprojected every day.
# brew reprojects nothing, and refuses bands with different coordinate systems (brew/data/sources/geotiff.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet rioxarray==0.19.0 odc-geo==0.5.3 dask==2026.8.0 rasterio==1.4.4 xarray==2026.9.0 numpy==2.4.6

venv/bin/python - <<'PY'
import numpy as np
import odc.geo.xr  # noqa: F401  (gives arrays the accessor .odc)
import rasterio
import rioxarray
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

seen = {}
for dtype, value in (("uint16", 1200), ("uint8", 90)):
    form = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": dtype, "crs": "EPSG:32632"}
    with rasterio.open(f"{dtype}.tif", "w", transform=from_origin(600000, 5000000, 10, 10), **form) as file:
        file.write(np.full((1, 64, 64), value, dtype))
    scene = rioxarray.open_rasterio(f"{dtype}.tif")
    with rasterio.open(f"{dtype}.tif") as file, WarpedVRT(file, crs="EPSG:32633") as view:
        results = {
            "rioxarray": scene.rio.reproject("EPSG:32633").values,
            "odc-geo": scene.odc.reproject("EPSG:32633").values,
            "WarpedVRT": view.read(),
        }
    for name, values in results.items():
        seen[dtype, name] = np.unique(values).tolist()
        print(dtype, f"{name:10} holds the values", seen[dtype, name], f"and a mean of {values.mean():.0f}")
assert seen["uint16", "rioxarray"] == [1200, 65535] and seen["uint8", "rioxarray"] == [90, 255], "behaviour changed"
for name in ("odc-geo", "WarpedVRT"):
    assert seen["uint16", name] == [0, 1200] and seen["uint8", name] == [0, 90], "behaviour changed"
print("as described: 65535 by rioxarray, 0 by odc-geo and WarpedVRT")
PY
