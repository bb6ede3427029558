"""Losses as pure functions of tensors and numbers, each a similarity to be maximised.

The training loss is the negative of their sum (`brew.pretraining` holds the weights). All compute in float32 with
autocast disabled, whatever the precision of the heads.
"""

from brew.losses.alignment import alignment, class_alignment, compression, patch_alignment, spread
from brew.losses.coding_rate import coding_rate, expansion
from brew.losses.reconstruction import reconstruction
from brew.losses.supervision import label_likelihood
from brew.losses.temporal_alignment import likeness, patches_over_time

__all__ = [
    "alignment", "class_alignment", "coding_rate", "compression", "expansion", "label_likelihood", "likeness",
    "patch_alignment", "patches_over_time", "reconstruction", "spread",
]  # fmt: skip
