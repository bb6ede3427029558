"""Scenes of the miniature Earth rendered while training runs, on the training device; nothing is stored.

Every epoch shows scenes that were never shown before: what a foundation model's teacher has and a student has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from brew.data.batches import Batch
from brew.data.miniature import render


@dataclass(frozen=True)
class RenderedFeed:
    """An endless feed of new scenes.

    seed: of the world; take one that no store uses. scenes: per epoch. products: of `miniature.render`, first date.
    size: pixels of a scene's multispectral image per side (the optical one has `optical_ratio` times as many).
    """

    name: str
    seed: int
    scenes: int
    batch_size: int
    size: int
    products: tuple[str, ...] = ("optical",)
    device: str | torch.device = "cpu"

    def __len__(self) -> int:
        return self.scenes // self.batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        for step in range(start_step, len(self)):
            first = (epoch * len(self) + step) * self.batch_size
            ids = torch.arange(first, first + self.batch_size, device=self.device)
            products = render(ids, self.seed, products=self.products, size=self.size, dates=1, device=self.device)
            yield Batch(samples=ids, arrays={name: products[name][:, 0] for name in self.products})
