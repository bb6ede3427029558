"""Scenes of the miniature Earth rendered while training runs, on the training device; nothing is stored.

Every epoch shows scenes that were never shown before. A foundation model's teacher has such data, a student has not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from brew.data.batches import Batch, check_batch
from brew.data.miniature.rendering import render
from brew.data.store import IMAGES
from brew.errors import unknown


@dataclass(frozen=True)
class RenderedFeed:
    """An endless feed of new scenes.

    seed: of the world. first: number of the first scene. Take a seed that no store uses, or begin behind the store's
    last scene: scenes differ if their numbers or seeds do. scenes: per epoch. products: images of `render`, first date.
    size: pixels of a scene's multispectral image per side (the optical one has `optical_ratio` times as many).
    rank, world: of several processes each renders its own share of every batch.
    Raises BrewError for products that are no images, and for scenes or processes that do not fit the batch
    (`check_batch`).
    """

    name: str
    seed: int
    scenes: int
    batch_size: int
    size: int
    products: tuple[str, ...] = ("optical",)
    device: str | torch.device = "cpu"
    first: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        for name in self.products:
            if name not in IMAGES:
                raise unknown(f"{self.name}: image", name, IMAGES)
        check_batch(f"{self.name}: scenes of an epoch", self.scenes, self.batch_size, self.rank, self.world)

    def __len__(self) -> int:
        return self.scenes // self.batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        share = self.batch_size // self.world
        for step in range(start_step, len(self)):
            first = self.first + (epoch * len(self) + step) * self.batch_size + self.rank * share
            ids = torch.arange(first, first + share)
            products = render(ids, self.seed, products=self.products, size=self.size, dates=1, device=self.device)
            yield Batch(samples=ids, arrays={name: products[name][:, 0] for name in self.products})
