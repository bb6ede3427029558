#!/usr/bin/env bash
# stackstac 0.5.1: the version of an item's raster extension decides whether pixels come as reflectance.
#
# One would guess that an item's scale and offset are heeded, or not, whichever version of the extension states them.
# Version 1 of the raster extension states them in the list `raster:bands`. Version 2, made for STAC 1.1, states them
# as `raster:scale` and `raster:offset` of the asset. stackstac reads the list alone, and says nothing of the rest.
# Seen here, for a digital number of 2000, scale 0.0001 and offset -0.1: 0.1 with version 1, and 2000.0 with version 2.
# odc-stac 0.5.3 applies neither, and gives the digital number 2000 for both.
# In Earth observation catalogues move to STAC 1.1 item by item. A series of one place can then mix reflectance and
# digital numbers, and a model that expects one of them gets the other.
# brew reads no STAC items. It heeds a scale and an offset that a GeoTIFF declares, and refuses values that lie outside
# the sensor's range.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet stackstac==0.5.1 odc-stac==0.5.3 pystac==1.15.2 rasterio==1.4.4 xarray==2026.9.0 numpy==2.4.6

venv/bin/python - <<'PY'
import warnings
from pathlib import Path

import numpy as np
import odc.stac
import pystac
import rasterio
import stackstac
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

warnings.filterwarnings("ignore")
form = {"driver": "GTiff", "width": 32, "height": 32, "count": 1, "dtype": "uint16", "crs": "EPSG:32632"}
with rasterio.open("red.tif", "w", transform=from_origin(500000, 5000000, 10, 10), **form) as file:
    file.write(np.full((1, 32, 32), 2000, "uint16"))
west, south, east, north = transform_bounds("EPSG:32632", "EPSG:4326", 500000, 4999680, 500320, 5000000)
ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
UNITS = {
    "v1.1.0": {"raster:bands": [{"data_type": "uint16", "scale": 0.0001, "offset": -0.1}]},
    "v2.0.0": {"data_type": "uint16", "raster:scale": 0.0001, "raster:offset": -0.1},
}


def item(version: str) -> dict:
    extensions = {"projection": "v1.1.0", "raster": version}
    return {
        "type": "Feature", "stac_version": "1.0.0" if version == "v1.1.0" else "1.1.0", "id": "scene", "links": [],
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/{each}/schema.json" for name, each in extensions.items()
        ],
        "bbox": [west, south, east, north], "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": "2025-06-01T10:00:00Z", "proj:epsg": 32632},
        "assets": {"red": {
            "href": str(Path("red.tif").resolve()), "type": "image/tiff; application=geotiff", "roles": ["data"],
            "proj:shape": [32, 32], "proj:transform": [10, 0, 500000, 0, -10, 5000000], **UNITS[version],
        }},
    }


seen = {}
for version in UNITS:
    one = stackstac.stack([item(version)]).values.ravel()[0]
    other = odc.stac.load([pystac.Item.from_dict(item(version))]).red.values.ravel()[0]
    seen[version] = (round(float(one), 6), int(other))
    print("raster extension", version, "- stackstac:", seen[version][0], "- odc-stac:", seen[version][1])
assert seen == {"v1.1.0": (0.1, 2000), "v2.0.0": (2000.0, 2000)}, "behaviour changed"
print("as described: reflectance by version 1, digital numbers by version 2")
PY
