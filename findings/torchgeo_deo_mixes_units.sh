#!/usr/bin/env bash
# torchgeo 0.10.1: the transform of the released DEO weights wants three bands in [0, 1] and seven in digital numbers.
#
# One would guess that an image of ten Sentinel-2 bands is normalised in one unit: digital numbers, or reflectance. The
# weights list their bands as B4, B3, B2, B5 to B8, B8A, B11, B12, and say nothing of a unit.
# Seen here: of an image that is 1500 everywhere (a reflectance of .15) the visible bands become 5200 to 5400, and the
# others lie within .3 of 0. The same image as reflectance gives -.9 in the visible bands, and -1.2 to -1.5 in the others,
# whatever the ground looks like. Neither raises an error.
# The three visible means are statistics of fine optical images in [0, 1], the other seven those of Sentinel-2 numbers.
# So frozen DEO features by the published transform are made from three saturated bands or from seven empty ones.
# brew reads all ten bands as digital numbers (brew/sensors.py, docs/decisions/0006).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3.12 -m venv venv # torchgeo 0.10 asks for Python 3.12 or later; torch takes some gigabytes
venv/bin/pip install --quiet torchgeo==0.10.1 torch==2.15.0 torchvision==0.29.2

venv/bin/python - <<'PY'
import warnings

import torch

warnings.filterwarnings("ignore")
from torchgeo.models import DEO_Weights

weights = DEO_Weights.DEO_SWIN
print(*weights.meta["bands"])
numbers = torch.full((1, 10, 4, 4), 1500.0)
for unit, image in (("digital numbers", numbers), ("reflectance", numbers / 10_000)):
    bands = weights.transforms(image)[0, :, 0, 0]
    print(f"{unit}:", *(f"{band:.2f}" for band in bands.tolist()))
    if unit == "digital numbers":
        assert bands[:3].min() > 5000 and bands[3:].abs().max() < 0.4, "behaviour changed"
    else:
        darker = weights.transforms(image / 2)[0, 3:, 0, 0]
        assert bands[3:].max() < -1.1 and (bands[3:] - darker).abs().max() < 1e-3, "behaviour changed"
print("as described: no single unit suits all ten bands")
PY
