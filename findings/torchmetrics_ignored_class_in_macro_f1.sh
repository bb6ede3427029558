#!/usr/bin/env bash
# torchmetrics 1.9.0: `ignore_index` takes a class out of the mean IoU, and leaves it in the mean F1 as a zero.
#
# One would guess that an ignored class is ignored by every metric of one library, as an option of one name says.
# Seen here: two classes and a void class, with one labelled pixel predicted as void. Mean IoU over the two classes is
# .633, as stated by IoUs of .6 and .667. Macro F1 is .517: the mean of .75, .8 and a 0 for the void class. Over the two
# classes it is .775, which scikit-learn gives too. Precision, recall and accuracy count the void class in the same way.
# If no pixel is predicted as void, F1 leaves the class out as well. So a test without such a pixel passes, and one pixel
# out of a million costs a third of the score (here), or 5 % of it with 19 classes.
# In Earth observation labels of crops and land cover have a void class, and tables set mean IoU beside macro F1.
# brew takes the ignored class out of both means (brew/evaluation/metrics.py).

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv # torch takes some gigabytes
venv/bin/pip install --quiet torchmetrics==1.9.0 torch==2.15.0 scikit-learn==1.9.1

venv/bin/python - <<'PY'
import torch
from sklearn.metrics import f1_score
from torchmetrics.classification import MulticlassF1Score, MulticlassJaccardIndex

VOID = 2
label = torch.tensor([0, 0, 0, 0, 1, 1, 1, VOID, VOID])
one_void = torch.tensor([0, 0, 0, VOID, 1, 1, 0, VOID, 0])
no_void = torch.tensor([0, 0, 0, 1, 1, 1, 0, 1, 0])
seen = {}
for name, predicted in (("one pixel predicted as void", one_void), ("none", no_void)):
    both = [
        float(metric(num_classes=3, average="macro", ignore_index=VOID)(predicted, label))
        for metric in (MulticlassJaccardIndex, MulticlassF1Score)
    ]
    kept = label != VOID
    peer = f1_score(label[kept], predicted[kept], labels=[0, 1], average="macro")
    seen[name] = (*both, peer)
    print(f"{name}: mean IoU {both[0]:.3f}, macro F1 {both[1]:.3f}; macro F1 by scikit-learn {peer:.3f}")
iou, f1, peer = seen["one pixel predicted as void"]
assert abs(iou - (0.6 + 2 / 3) / 2) < 1e-4 and abs(f1 - (0.75 + 0.8 + 0) / 3) < 1e-4, "behaviour changed"
assert abs(peer - (0.75 + 0.8) / 2) < 1e-4, "behaviour changed"
assert abs(seen["none"][1] - seen["none"][2]) < 1e-4, "behaviour changed"
print("as described: the ignored class counts in macro F1, and not in mean IoU")
PY
