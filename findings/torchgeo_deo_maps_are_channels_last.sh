#!/usr/bin/env bash
# torchgeo 0.10.1: the maps of its DEO model hold channels last, where its documentation says channels first.
#
# One would guess (batch, channel, y, x), which `DEO.forward` and `forward_features` state and which a decoder expects.
# Both return (batch, y, x, channel), as torchvision's Swin does inside.
# Seen here: images of 224 x 224 px give maps of 56 x 56 x 128 to 7 x 7 x 1024. Average pooling over the last two axes, the
# usual way to one vector per image, runs without an error and gives 7 numbers: means over columns and channels.
# In Earth observation such maps go to a linear probe or a decoder. The probe then learns from 7 numbers instead of 1024.
# brew reads the same weights into maps of (batch, channel, y, x) (brew/models/student.py).

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
from torchgeo.models import DEO, deo_base

stated = [line.strip() for text in (DEO.forward.__doc__, DEO.forward_features.__doc__) for line in text.splitlines()]
stated = [line for line in stated if "(b, c, h', w')" in line]
model = deo_base().eval()
with torch.no_grad():
    images = torch.zeros(1, 10, 224, 224)
    maps, last = model.forward_features(images), model(images)
print("stated:", *stated, sep="\n  ")
print("given:", *(tuple(each.shape) for each in (*maps, last)))
print("numbers per image by pooling the last two axes:", last.mean((-2, -1)).shape[1])
assert len(stated) == 2 and tuple(last.shape) == (1, 7, 7, 1024), "behaviour changed"
assert [each.shape[-1] for each in maps] == [128, 256, 512, 1024], "behaviour changed"
print("as described: channels come last")
PY
