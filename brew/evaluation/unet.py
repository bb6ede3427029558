"""The supervised reference of segmentation: a U-Net with a ResNet-50 encoder, trained whole from scratch.

segmentation-models-pytorch's U-Net (Ronneberger et al. 2015, arXiv 1505.04597), in the harness of the decoders: same
loss, schedule, orientations and choice of the epoch. It costs a training of 32.5 million parameters per seed, so a
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

from brew.evaluation.fit import fit, predict, seeded
from brew.evaluation.frozen_features import Images
from brew.evaluation.metrics import confusion
from brew.evaluation.segmentation import SegmentationResult, SegmentationSettings, SegmentationTask
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
    task: SegmentationTask, settings: SegmentationSettings, seed: int, orientations: int = 8, device: str = "cpu"
) -> SegmentationResult:
    """Train on the training images, choose the epoch on validation, test that one."""
    bands, classes = len(sensor(task.sensor)), len(task.classes)
    read = partial(standardised, task, device=device)
    best = fit(
        seeded(lambda: UNet(bands, classes), seed).to(device),
        Images(read, task.split.train, orientations),
        torch.from_numpy(task.labels[task.split.train].astype(np.int64)),
        classes,
        task.ignore,
        replace(settings.fit, finetune=0.0),  # it has no trunk of its own: all of it learns at one rate
        seed,
        lambda trained: task.score(_test(trained, Images(read, task.split.validation, 1), task, device)[0]),
        device,
    )
    counts, predictions = _test(best.network, Images(read, task.split.test, 1), task, device)
    return SegmentationResult(task.split.test, counts, predictions[: settings.keep], best.epoch, best.validation)


def _test(network: nn.Module, images: Images, task: SegmentationTask, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Confusion counts and predictions of every row of `images`."""
    parts = [
        logits.argmax(1).to(torch.uint8).cpu().numpy()
        for _, logits in predict(network, images, task.labels.shape[1:], device=device)
    ]
    predicted = np.concatenate(parts)
    return confusion(task.labels[images.samples], predicted, len(task.classes), task.uncounted), predicted
