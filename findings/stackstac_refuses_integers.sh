#!/usr/bin/env bash
# stackstac 0.5.1: a Sentinel-2 item cannot be stacked as uint16 with the fill value 0.
#
# One would guess that `dtype="uint16", fill_value=0` gives digital numbers as they are stored: 0 is Sentinel-2's own
# value for no data, and fits. stackstac refuses 0 as incompatible with uint16. It looks at the type of the fill value
# and not at the value, and Python's int counts as int64. A NumPy number of the wanted type passes: `np.uint16(0)`.
# Seen here: an error for 0, and the file's pixels for np.uint16(0).
# Without integers a stack is float64, four times the memory, and rescaled by what the item says of its bands.
# In Earth observation whole years of tiles are stacked, so memory decides.
# brew reads such a cube either way, and keeps uint16 as it comes (brew/data/images/array_parts.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet stackstac==0.5.1 pystac==1.15.2 rasterio==1.4.4 xarray==2026.9.0 numpy==2.4.6

venv/bin/python - <<'PY'
import warnings
from pathlib import Path

import numpy as np
import rasterio
import stackstac
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

warnings.filterwarnings("ignore")
pixels = np.arange(1, 32 * 32 + 1, dtype="uint16").reshape(1, 32, 32)
form = {"driver": "GTiff", "width": 32, "height": 32, "count": 1, "dtype": "uint16", "crs": "EPSG:32632"}
with rasterio.open("red.tif", "w", transform=from_origin(500000, 5000000, 10, 10), **form) as file:
    file.write(pixels)
west, south, east, north = transform_bounds("EPSG:32632", "EPSG:4326", 500000, 4999680, 500320, 5000000)
ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
item = {
    "type": "Feature", "stac_version": "1.0.0", "id": "scene", "links": [], "bbox": [west, south, east, north],
    "stac_extensions": ["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
    "geometry": {"type": "Polygon", "coordinates": [ring]},
    "properties": {"datetime": "2025-06-01T10:00:00Z", "proj:epsg": 32632},
    "assets": {"red": {
        "href": str(Path("red.tif").resolve()), "type": "image/tiff; application=geotiff", "roles": ["data"],
        "proj:shape": [32, 32], "proj:transform": [10, 0, 500000, 0, -10, 5000000],
    }},
}
said = ""
try:
    stackstac.stack([item], dtype="uint16", fill_value=0, rescale=False)
except ValueError as error:
    said = str(error)
print("fill_value=0:", said or "a cube")
cube = stackstac.stack([item], dtype="uint16", fill_value=np.uint16(0), rescale=False).squeeze(drop=True).compute()
print("fill_value=np.uint16(0):", cube.dtype, "- the file's pixels:", bool((cube.values == pixels[0]).all()))
assert "fill_value" in said, "behaviour changed"
assert cube.dtype == np.uint16 and (cube.values == pixels[0]).all(), "behaviour changed"
print("as described: 0 is refused for uint16, and NumPy's own 0 is taken")
PY
