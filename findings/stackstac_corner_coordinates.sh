#!/usr/bin/env bash
# stackstac 0.5.1 and odc-stac 0.5.3: the coordinates of one STAC item lie half a pixel apart.
#
# One would guess that two readers of STAC items label the same pixels of the same file with the same coordinates.
# stackstac labels a pixel by its top left corner. odc-stac, and rioxarray for the bare file, label it by its centre.
# Seen here, at 10 m: x begins at 500000 against 500005, and y at 5000000 against 4999995. The pixels are the same.
# xarray aligns by labels, so the difference of the two cubes has no pixel at all, without an error. A selection of
# the nearest pixel at a field's coordinates can take the neighbour, 10 m off.
# In Earth observation one cube is often joined with another, or with points of field data.
# brew joins bands by the corner and the pixel size of the files, and compares no labels (brew/data/sources/geotiff.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet stackstac==0.5.1 odc-stac==0.5.3 pystac==1.15.2 rioxarray==0.19.0 rasterio==1.4.4 xarray==2026.9.0 numpy==2.4.6

venv/bin/python - <<'PY'
import warnings
from pathlib import Path

import numpy as np
import odc.stac
import pystac
import rasterio
import rioxarray
import stackstac
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

warnings.filterwarnings("ignore")
form = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint16", "crs": "EPSG:32632"}
with rasterio.open("red.tif", "w", transform=from_origin(500000, 5000000, 10, 10), **form) as file:
    file.write(np.arange(1, 64 * 64 + 1, dtype="uint16").reshape(1, 64, 64))
west, south, east, north = transform_bounds("EPSG:32632", "EPSG:4326", 500000, 4999360, 500640, 5000000)
ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
item = {
    "type": "Feature", "stac_version": "1.0.0", "id": "scene", "links": [], "bbox": [west, south, east, north],
    "stac_extensions": ["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
    "geometry": {"type": "Polygon", "coordinates": [ring]},
    "properties": {"datetime": "2025-06-01T10:00:00Z", "proj:epsg": 32632},
    "assets": {"red": {
        "href": str(Path("red.tif").resolve()), "type": "image/tiff; application=geotiff", "roles": ["data"],
        "proj:shape": [64, 64], "proj:transform": [10, 0, 500000, 0, -10, 5000000],
    }},
}
one = stackstac.stack([item]).squeeze(drop=True).drop_vars(["time", "band", "id"], errors="ignore").compute()
other = odc.stac.load([pystac.Item.from_dict(item)]).red.squeeze(drop=True)
bare = rioxarray.open_rasterio("red.tif").squeeze(drop=True)
for name, cube in (("stackstac", one), ("odc-stac", other), ("rioxarray", bare)):
    print(f"{name:10}", "x from", cube.x.values[0], "- y from", cube.y.values[0], "- shape", cube.shape)
difference = one - other
print("same pixels:", bool((one.values == other.values).all()), "- shape of the difference:", difference.shape)
assert (one.x.values[0], one.y.values[0]) == (500000, 5000000), "behaviour changed"
assert (other.x.values[0], other.y.values[0]) == (bare.x.values[0], bare.y.values[0]) == (500005, 4999995)
assert (one.values == other.values).all() and difference.size == 0, "behaviour changed"
print("as described: 5 m apart, and the difference of two equal cubes is empty")
PY
