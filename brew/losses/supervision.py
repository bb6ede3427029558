"""How likely labels are under a head's logits: what multi-task pretraining adds to the similarities."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor


def label_likelihood(
    logits: Float[Tensor, "batch classes *_places"],
    labels: Int64[Tensor, "labelled *_label_places"],
    rows: Int64[Tensor, " labelled"],
    expected: float,
    unlabelled: int,
) -> Float[Tensor, ""]:
    """Log-likelihood of the labels, at most 0: mean over places, sum over labelled samples, over `expected` samples.

    rows: which samples of the batch have labels. expected: how many are labelled on average, so that a batch without
    any gives 0 and all processes' batches weigh alike. unlabelled: a label that does not count.
    Dense logits are resized bilinearly to the labels' grid.
    """
    if labels.ndim == 1:
        labels, logits = labels[:, None], logits[:, :, None]
    with torch.autocast(logits.device.type, enabled=False):
        chosen = logits.float()
        if labels.ndim == 3 and chosen.shape[2:] != labels.shape[1:]:
            chosen = F.interpolate(chosen, size=labels.shape[1:], mode="bilinear", align_corners=False)
        errors = F.cross_entropy(chosen[rows], labels, ignore_index=unlabelled, reduction="none").flatten(1)
        counted = (labels != unlabelled).flatten(1).sum(1).clamp(min=1)
        return -(errors.sum(1) / counted).sum() / expected
