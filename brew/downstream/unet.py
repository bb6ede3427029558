"""The supervised reference of segmentation: a U-Net with a ResNet-50 encoder, trained whole from scratch.

segmentation-models-pytorch's U-Net (Ronneberger et al. 2015, arXiv 1505.04597), in the harness of the decoders: same
loss, schedule, orientations and choice of the epoch. It costs a training of 32.5 million parameters per seed, so a
scale asks for it by name.
"""

from dataclasses import dataclass

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from brew.downstream.features import orient_each, read_images
from brew.downstream.fit import fit, predict, seeded
from brew.downstream.metrics import confusion
from brew.downstream.segmentation import SegmentationResult, SegmentationSettings, SegmentationTask
from brew.sensors import Sensor, sensor

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


@dataclass(frozen=True)
class StandardisedImages:
    """A task's images as inputs of a fit, standardised with their sensor's statistics."""

    task: SegmentationTask
    samples: Int64[np.ndarray, " row"]
    orientations: int

    def batch(self, rows: Tensor, orientations: Tensor, device: str) -> list[Tensor]:
        found: Sensor = sensor(self.task.sensor)
        images = read_images(self.task.images, self.samples[rows.numpy()], device)
        mean, std = (torch.tensor(each, device=device).view(1, -1, 1, 1) for each in (found.mean, found.std))
        return [orient_each((images - mean) / std, orientations)]


def evaluate_unet(
    task: SegmentationTask, settings: SegmentationSettings, seed: int, orientations: int = 8, device: str = "cpu"
) -> SegmentationResult:
    """Train on the training images, choose the epoch on validation, test that one."""
    bands, classes = len(sensor(task.sensor)), len(task.classes)
    best = fit(
        seeded(lambda: UNet(bands, classes), seed).to(device),
        StandardisedImages(task, task.split.train, orientations),
        torch.from_numpy(task.labels[task.split.train].astype(np.int64)),
        classes,
        task.ignore,
        settings.fit,
        seed,
        lambda trained: task.score(_test(trained, task, task.split.validation, device)[0]),
        device,
    )
    counts, predictions = _test(best.network, task, task.split.test, device)
    return SegmentationResult(task.split.test, counts, predictions[: settings.keep], best.epoch, best.validation)


def _test(
    network: nn.Module, task: SegmentationTask, samples: Int64[np.ndarray, " sample"], device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Confusion counts and predictions of these samples."""
    images = StandardisedImages(task, samples, 1)
    parts = [
        logits.argmax(1).to(torch.uint8).cpu().numpy()
        for _, logits in predict(network, images, task.labels.shape[1:], device=device)
    ]
    predicted = np.concatenate(parts)
    return confusion(task.labels[samples], predicted, len(task.classes), task.ignore), predicted
