#!/usr/bin/env bash
# xarray 2026.9.0 with zarr 3.1.6: missing pixels of a product become a reflectance of -0.1 as its Zarr format changes.
#
# One would guess that the same call of zarr-python, with the same fill value of 0, is read alike in formats 2 and 3.
# Of format 2 xarray takes the array's fill value for its missing value. Of format 3 it does not: there it heeds the
# attribute `_FillValue` alone. Nor does it heed the attribute `valid_min`.
# Seen here, for the numbers 0, 1000 and 2000 of a Sentinel-2 band (scale 0.0001, offset -0.1, as since baseline 04.00):
# format 2 gives NaN, 0.0 and 0.1, while format 3 gives -0.1, 0.0 and 0.1. No warning is raised.
# In Earth observation a scene's border beyond the swath is such a 0. A mean over the scene then takes it in.
# brew's own stores are of format 3 and hold plain digital numbers, in which 0 means 0 (brew/data/store.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet xarray==2026.9.0 zarr==3.1.6 numpy==2.4.6

venv/bin/python - <<'PY'
import math

import numpy as np
import xarray as xr
import zarr

UNITS = {"scale_factor": 0.0001, "add_offset": -0.1, "valid_min": 1}
seen = {}
for form in (2, 3):
    for attribute in (False, True):
        name = f"format-{form}-{attribute}.zarr"
        group = zarr.open_group(name, mode="w", zarr_format=form)
        dimensions = {"dimension_names": ("x",)} if form == 3 else {}
        band = group.create_array("b04", shape=(3,), dtype="uint16", fill_value=0, **dimensions)
        band[:] = np.array([0, 1000, 2000], "uint16")
        band.attrs.update(UNITS | ({"_ARRAY_DIMENSIONS": ["x"]} if form == 2 else {}))
        if attribute:
            band.attrs["_FillValue"] = 0
        values = xr.open_zarr(name, consolidated=False).b04.values.round(6).tolist()
        seen[form, attribute] = ["missing" if math.isnan(value) else value for value in values]
        print("format", form, "with" if attribute else "without", "_FillValue:", seen[form, attribute])
assert seen[2, False] == seen[2, True] == seen[3, True] == ["missing", 0.0, 0.1], "behaviour changed"
assert seen[3, False] == [-0.1, 0.0, 0.1], "behaviour changed"
print("as described: of format 3 the fill value 0 is read as a reflectance of -0.1")
PY
