"""Losses of dense prediction: cross-entropy, binary cross-entropy on one-hot labels, and dice.

The paper's evaluation code trains most sets with binary cross-entropy on one-hot labels and Sen1Floods11 with
cross-entropy that ignores a class; published OSCD protocols use dice or weighted cross-entropy.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from brew.errors import BrewError, nearest, unknown

Logits = Float[Tensor, "batch classes y x"]
Labels = Int64[Tensor, "batch y x"]
Weights = Float[Tensor, " classes"]


def cross_entropy(logits: Logits, labels: Labels, weights: Weights, counted: Tensor) -> Float[Tensor, ""]:
    """Softmax cross-entropy, each pixel weighted by its class, over the sum of weights."""
    per_pixel = F.cross_entropy(logits, labels, weight=weights, reduction="none")
    return (per_pixel * counted).sum() / (weights[labels] * counted).sum().clamp(min=1e-12)


def one_hot_cross_entropy(logits: Logits, labels: Labels, weights: Weights, counted: Tensor) -> Float[Tensor, ""]:
    """Binary cross-entropy of every class against the one-hot label, mean over classes and weighted pixels."""
    target = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    per_pixel = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
    weight = weights[labels] * counted
    return (per_pixel * weight).sum() / weight.sum().clamp(min=1e-12)


def dice(logits: Logits, labels: Labels, weights: Weights, counted: Tensor) -> Float[Tensor, ""]:
    """One minus the soft Dice coefficient over the batch, weighted mean over the classes that occur."""
    probability = logits.softmax(1) * counted[:, None]
    target = F.one_hot(labels, logits.shape[1]).movedim(-1, 1) * counted[:, None]
    shared, total = (probability * target).sum((0, 2, 3)), (probability + target).sum((0, 2, 3))
    weight = weights * (target.sum((0, 2, 3)) > 0)
    return 1 - (weight * 2 * shared / total.clamp(min=1e-12)).sum() / weight.sum().clamp(min=1e-12)


PixelLoss = Callable[[Logits, Labels, Weights, Tensor], Tensor]
LOSSES: dict[str, PixelLoss] = {
    "cross-entropy": cross_entropy,
    "one-hot-cross-entropy": one_hot_cross_entropy,
    "dice": dice,
}
_WEIGHTINGS = ("equal", "balanced")


def pixel_loss(name: str) -> PixelLoss:
    """The loss of that name; BrewError with the nearest known one where there is none.

    It takes logits, labels in 0 .. classes - 1, weights per class, and which pixels count (float, 0 or 1).
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    return LOSSES[name]


def check_class_weights(kind: str) -> None:
    """BrewError with the nearest known kind of class weights if there is none of that name."""
    if kind not in _WEIGHTINGS:
        raise BrewError(f"class weights {kind!r} are unknown; {nearest(kind, _WEIGHTINGS)}")


def class_weights(kind: str, labels: Int64[Tensor, "*any"], classes: int, ignore: int | None) -> Weights:
    """Weights per class from the training labels: "equal" (ones) or "balanced" (inverse frequency).

    Balanced weights average one over pixels. A class without a training pixel weighs zero when balanced.
    """
    check_class_weights(kind)
    if kind == "equal":
        return torch.ones(classes)
    values = labels.flatten()
    values = values if ignore is None else values[values != ignore]
    counts = torch.bincount(values, minlength=classes).float()
    occurring = counts > 0
    return torch.where(occurring, counts.sum() / (occurring.sum() * counts.clamp(min=1)), 0.0)
