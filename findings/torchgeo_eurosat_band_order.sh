#!/usr/bin/env bash
# torchgeo 0.10.1: EuroSAT's 13 bands come in another order than every weight for 13 bands of Sentinel-2 expects.
#
# One would guess that a data set and weights of one library fit together: 13 bands by default, and `in_chans` of 13.
# EuroSAT's files, and so the data set by default, hold B8A last. The weights name B8A after B8, as OSCD's data set does.
# Seen here: five of thirteen bands reach the weights at the place of another one (B9 at B8A's, B8A at B12's), and nothing
# is raised. The weights write "B8a" and the data set "B8A", so comparing names as they stand helps as little.
# In Earth observation this pair is a usual first experiment. Short-wave infrared and water vapour then change places.
# brew matches bands by name and wavelength, and refuses names that a sensor lacks (brew/sensors.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3.12 -m venv venv # torchgeo 0.10 asks for Python 3.12 or later; torch takes some gigabytes
venv/bin/pip install --quiet torchgeo==0.10.1 torch==2.15.0 torchvision==0.29.2 rasterio==1.4.4

venv/bin/python - <<'PY'
import inspect
import warnings
from pathlib import Path

import numpy as np
import rasterio
from torchvision.models._api import WeightsEnum

warnings.filterwarnings("ignore")
import torchgeo.models as models
from torchgeo.datasets import OSCD, EuroSAT

# A patch in EuroSAT's layout, whose bands hold 1 to 13 in the order of the published files.
file = Path("eurosat", EuroSAT.base_dir, "Forest", "Forest_1.tif")
file.parent.mkdir(parents=True)
patch = np.arange(1, 14, dtype="uint16")[:, None, None] + np.zeros((13, 64, 64), "uint16")
with rasterio.open(file, "w", driver="GTiff", width=64, height=64, count=13, dtype="uint16") as target:
    target.write(patch)
Path("eurosat", EuroSAT.split_filenames["train"]).write_text("Forest_1.jpg\n")
image = EuroSAT("eurosat", "train")[0]["image"]
assert image[:, 0, 0].tolist() == list(range(1, 14)), "behaviour changed: bands come in another order"

def plain(band):
    return "B" + band.upper().removeprefix("B").lstrip("0")

given = [plain(band) for band in EuroSAT.all_band_names]
expecting = 0
for entries in vars(models).values():
    if inspect.isclass(entries) and issubclass(entries, WeightsEnum) and entries is not WeightsEnum:
        for weights in entries:
            if weights.meta.get("in_chans") == 13 and weights.meta.get("bands"):
                expected = [plain(band) for band in weights.meta["bands"]]
                expecting += 1
                assert sorted(expected) == sorted(given) and expected != given, "behaviour changed"
print("data set:", *given)
print("weights: ", *expected, f"({expecting} entries)")
print("at another band's place:", *(f"{one} at {other}'s" for one, other in zip(given, expected) if one != other))
assert expecting == 21 and sum(one != other for one, other in zip(given, expected)) == 5, "behaviour changed"
assert [plain(band) for band in OSCD.all_bands] == expected, "behaviour changed"
print("as described: EuroSAT by default, and weights by default, do not fit")
PY
