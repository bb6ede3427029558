#!/usr/bin/env bash
# tifffile 2026.3.3 and rasterio 1.4.4 (GDAL 3.10.3): of thirteen bands that one writes the other reads the first.
#
# One would guess that an array (band, y, x) is written by tifffile as an image of so many bands, since 3 and 4 are.
# Arrays of 3 and 4 bands become one image, and rasterio reads all their bands. An array of 13 bands becomes 13 pages.
# Seen here: rasterio opens the file of 13 without an error, reports 1 band, and lists 13 subdatasets.
# As (y, x, band), which is what many image libraries want, 13 bands become a page per line of the image: rasterio
# reports a single band of 64 x 13 pixels.
# In Earth observation a Sentinel-2 patch has 10 to 13 bands. A test with RGB passes, and the real patches lose bands.
# brew counts the bands of every file that it opens, and refuses another number in words (brew/data/rasters.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tifffile==2026.3.3 rasterio==1.4.4 numpy==2.4.6

venv/bin/python - <<'PY'
import warnings

import numpy as np
import rasterio
import tifffile

warnings.filterwarnings("ignore")
seen = {}
for bands in (3, 4, 13):
    patch = np.arange(bands, dtype="uint16")[:, None, None] + np.zeros((bands, 64, 64), "uint16")
    for order, array in (("band, y, x", patch), ("y, x, band", np.ascontiguousarray(patch.transpose(1, 2, 0)))):
        tifffile.imwrite("patch.tif", array)
        with rasterio.open("patch.tif") as file:
            seen[bands, order] = (file.count, file.shape, len(file.subdatasets))
        back = tifffile.imread("patch.tif").shape == array.shape
        print(f"{bands:2} bands ({order}): rasterio reads", *seen[bands, order], "- tifffile itself reads all:", back)
assert seen[4, "band, y, x"] == seen[4, "y, x, band"] == (4, (64, 64), 0), "behaviour changed"
assert seen[13, "band, y, x"] == (1, (64, 64), 13), "behaviour changed"
assert seen[13, "y, x, band"] == (1, (64, 13), 64), "behaviour changed"
print("as described: four bands arrive as four, and thirteen as one")
PY
