"""Small stand-ins for what evaluation is given."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from brew.evaluation.splits import Split
from brew.sensors import SENSORS

BANDS = len(SENSORS["sentinel2"])


@dataclass(frozen=True)
class AveragedBands:
    """A backbone without weights: normalised bands averaged at each stride. Counts how often it runs."""

    calls: list[int]
    name: str = "averaged bands"

    def pyramid(self, images: Tensor, sensor: str, standardised: bool = False) -> list[Tensor]:
        self.calls.append(len(images))
        values = images if standardised else images / SENSORS[sensor].white
        return [F.avg_pool2d(values, stride) for stride in (4, 8, 16, 32)]

    def pooled(self, images: Tensor, sensor: str, standardised: bool = False) -> Tensor:
        return self.pyramid(images, sensor, standardised)[0].mean((2, 3))


@pytest.fixture
def backbone() -> AveragedBands:
    return AveragedBands([])


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: several threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def halves(count: int, size: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of ten bands whose class 1 part (a random rectangle) is brighter in two bands, and their labels."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((count, size, size), dtype=np.uint8)
    for label in labels:
        row, column = generator.integers(0, size // 2, 2)
        label[row : row + size // 2, column : column + size // 2] = 1
    images = generator.normal(1500, 150, (count, BANDS, size, size))
    images[:, 6:8] += 1500.0 * labels[:, None]
    return images.round().astype(np.uint16), labels


def thirds(count: int) -> Split:
    return Split(*np.array_split(np.arange(count), 3))
