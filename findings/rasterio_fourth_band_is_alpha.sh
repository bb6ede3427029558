#!/usr/bin/env bash
# rasterio 1.4.4 (GDAL 3.10.3): the near infrared of an 8-bit aerial image becomes its mask.
#
# One would guess that a GeoTIFF of four bands, written without a word on colours, has four bands of data.
# With 8 bits GDAL notes red, green, blue and alpha (opacity) in the file. With 16 bits it notes nothing of the kind.
# Mask-aware readers then take an infrared of 0, which clear water has, for a hole in the image.
# Seen here: half of the scene is water. `merge` and `WarpedVRT`, onto the image's own grid, turn the red, green and
# blue of that half to 0. A plain `read` gives all four bands as they were written.
# In Earth observation this form is common: the aerial images of TreeSatAI are RGB and infrared in 8 bits.
# brew reads such data sets with plain reads and uses no alpha there (brew/data/rasters.py, read_image). In a folder of
# the user's own GeoTIFFs it heeds a band of opacity, and refuses a scene with holes in words, instead of zeroing it.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet rasterio==1.4.4 numpy==2.4.6

venv/bin/python - <<'PY'
import numpy as np
import rasterio
from rasterio.merge import merge
from rasterio.transform import from_origin
from rasterio.vrt import WarpedVRT

image = np.stack([np.full((64, 64), value) for value in (60, 70, 80, 120)])
image[3, :32] = 0  # water in the near infrared
seen = {}
for dtype in ("uint8", "uint16"):
    form = {"driver": "GTiff", "width": 64, "height": 64, "count": 4, "dtype": dtype, "crs": "EPSG:32632"}
    with rasterio.open(f"{dtype}.tif", "w", transform=from_origin(500000, 5000000, 1, 1), **form) as file:
        file.write(image.astype(dtype))
    with rasterio.open(f"{dtype}.tif") as file:
        with WarpedVRT(file, crs="EPSG:32632") as view:
            views = {"read": file.read(), "merge": merge([file])[0], "WarpedVRT": view.read()}
        masked = float((file.read_masks(1) == 0).mean())
        changed = {name: (values != image).mean((1, 2)).tolist() for name, values in views.items()}
        seen[dtype] = (file.colorinterp[3].name, masked, changed)
    print(dtype, "band 4 is", seen[dtype][0], "- share of red masked:", masked)
    for name, share in changed.items():
        print("   share of pixels changed per band by", name, share)
none, half = [0.0] * 4, [0.5, 0.5, 0.5, 0.0]
assert seen["uint8"] == ("alpha", 0.5, {"read": none, "merge": half, "WarpedVRT": half}), "behaviour changed"
assert seen["uint16"] == ("undefined", 0.0, {"read": none, "merge": none, "WarpedVRT": none}), "behaviour changed"
print("as described: with 8 bits the infrared of water blanks the visible bands")
PY
