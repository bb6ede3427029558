#!/usr/bin/env bash
# rasterio 1.4.4 (GDAL 3.10.3): a class map written as cloud-optimised GeoTIFF holds classes that nobody mapped.
#
# One would guess that a map of the classes 10 and 80 holds 10 and 80 at every zoom, as it is read by nearest neighbour.
# GDAL's driver COG adds overviews (smaller copies) by itself, and makes them by cubic interpolation if the map has no
# colour table. A reader that asks for fewer pixels is given an overview, and nearest neighbour picks from that one.
# Seen here: at half the size (and a quarter) a fifth of the pixels have values between, below and above the classes.
# The full map is intact, and the driver GTiff, which adds no overviews, keeps both classes at every size.
# In Earth observation land-cover maps have such codes: in ESA WorldCover 10 is trees and 80 is water.
# Coarse labels for training, read off such a map, hold classes such as 41 to 47, or another class's valid code.
# brew reads labels at their full size alone (brew/data/rasters.py), so no overview is ever asked for.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet rasterio==1.4.4 numpy==2.4.6

venv/bin/python - <<'PY'
import numpy as np
import rasterio
from rasterio.transform import from_origin

fields = np.random.default_rng(0).choice(np.array([10, 80], "uint8"), size=(32, 32))
classes = fields.repeat(33, 0).repeat(33, 1)[:1024, :1024]  # fields of 33 pixels, so that their edges cut blocks
form = {"width": 1024, "height": 1024, "count": 1, "dtype": "uint8", "crs": "EPSG:32632"}
seen = {}
for driver in ("GTiff", "COG"):
    with rasterio.open(f"{driver}.tif", "w", driver=driver, transform=from_origin(0, 5000000, 10, 10), **form) as file:
        file.write(classes, 1)
    with rasterio.open(f"{driver}.tif") as file:
        for size in (1024, 512, 256):
            values = file.read(1, out_shape=(size, size))  # nearest neighbour
            wrong = float((~np.isin(values, (10, 80))).mean())
            seen[driver, size] = (len(np.unique(values)), wrong)
            print(f"{driver:5} read at {size:4}: {seen[driver, size][0]:3} classes, {wrong:.3f} of pixels neither")
assert all(seen["GTiff", size] == (2, 0.0) for size in (1024, 512, 256)), "behaviour changed"
assert seen["COG", 1024] == (2, 0.0), "behaviour changed"
assert all(seen["COG", size][0] > 10 and seen["COG", size][1] > 0.05 for size in (512, 256)), "behaviour changed"
print("as described: the overviews of the driver COG hold classes that the map lacks")
PY
