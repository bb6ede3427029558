"""The supervised reference of segmentation: a U-Net with a ResNet-50 encoder, trained whole from scratch.

segmentation-models-pytorch's U-Net (Ronneberger et al. 2015, arXiv 1505.04597), in the harness of the decoders: same
loss, schedule, averaged weights and orientations. It costs a training of 32.5 million parameters per seed, so a
scale asks for it by name.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from brew.evaluation.dense_harness import from_scratch
from brew.evaluation.segmentation import (
    SegmentationResult,
    SegmentationSettings,
    SegmentationTask,
    trained_and_tested,
)
from brew.sensors import sensor

NAME = "unet-resnet50"
_MULTIPLE = 32


class UNet(nn.Module):
    """Images -> logits on the images' grid; sides that are no multiples of 32 are extended by their border."""

    def __init__(self, bands: int, classes: int) -> None:
        super().__init__()
        self.net = smp.Unet("resnet50", encoder_weights=None, in_channels=bands, classes=classes)

    def forward(self, inputs: list[Tensor]) -> Float[Tensor, "batch classes y x"]:
        (images,) = inputs
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE), mode="replicate")
        return self.net(padded)[:, :, :height, :width]


def standardised(
    task: SegmentationTask, samples: Int64[np.ndarray, " sample"], device: str = "cpu"
) -> Float[Tensor, "sample band y x"]:
    """Images, standardised with their sensor's statistics."""
    found = sensor(task.sensor)
    mean, std = (torch.tensor(each, device=device).view(1, -1, 1, 1) for each in (found.mean, found.std))
    return (task.read(samples, device) - mean) / std


def evaluate_unet(
    task: SegmentationTask, settings: SegmentationSettings, seed: int, orientations: int = 4, device: str = "cpu"
) -> SegmentationResult:
    """Train on the training images, and test."""
    build, read = partial(UNet, len(sensor(task.sensor)), len(task.classes)), partial(standardised, task, device=device)
    training = from_scratch(build, read, task.split, seed, orientations, device)
    whole = replace(settings, fit=replace(settings.fit, finetune=0.0))  # no trunk of its own: it learns at one rate
    return trained_and_tested(training, task, whole, seed, device)
