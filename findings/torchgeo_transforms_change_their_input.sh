#!/usr/bin/env bash
# torchgeo 0.10.1: the transforms of many published weights change the batch that it is given.
#
# One would guess that `weights.transforms(batch)` returns a normalised copy, as transforms of images do, so that several
# models can be compared on one batch. 51 of 117 normalise in place; 23 of them only if the batch is 224 px wide, as the
# models are, and needs no resizing.
# Seen here: after the transform of one Sentinel-2 ResNet-50 a batch of 1500 (digital numbers) holds 0.15, and the
# transform of the next model makes 0.000015 of it. Both models get numbers, and neither raises an error.
# In Earth observation frozen models are compared on the same images: the first is right, and all others see almost black
# images. Weights whose transform copies, such as those for Sentinel-2 by MoCo, hide it in a test.
# brew normalises images itself, and never in place (brew/models/student.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3.12 -m venv venv # torchgeo 0.10 asks for Python 3.12 or later; torch takes some gigabytes
venv/bin/pip install --quiet torchgeo==0.10.1 torch==2.15.0 torchvision==0.29.2

venv/bin/python - <<'PY'
import inspect
import warnings

import torch
from torchvision.models._api import WeightsEnum

warnings.filterwarnings("ignore")
import torchgeo.models as models

batch = torch.full((1, 13, 64, 64), 1500.0)
first, second = models.ResNet50_Weights.SENTINEL2_ALL_CLOSP, models.ResNet50_Weights.SENTINEL2_ALL_SECO_ECO
alone = float(second.transforms(batch.clone()).max())
first.transforms(batch)
after_first = float(batch.max())
after_both = float(second.transforms(batch).max())
print(f"{second} gives {alone:g} alone, and {after_both:g} after {first}, which left {after_first:g} in the batch")
assert abs(alone - 0.15) < 1e-6 and abs(after_first - 0.15) < 1e-6 and abs(after_both - 1.5e-5) < 1e-9, "changed"

changed = copied = 0
for entries in vars(models).values():
    if inspect.isclass(entries) and issubclass(entries, WeightsEnum) and entries is not WeightsEnum:
        for weights in entries:
            if isinstance(weights.meta.get("in_chans"), int) and not entries.__name__.startswith("Tessera"):
                given = torch.full((1, weights.meta["in_chans"], 224, 224), 1500.0)
                weights.transforms(given)
                changed, copied = changed + bool((given != 1500).any()), copied + bool((given == 1500).all())
print(f"{changed} transforms change their input, and {copied} leave it alone")
assert changed == 51 and copied, "behaviour changed"
print("as described: a batch can be given to one model, and to no other after it")
PY
