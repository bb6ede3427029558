"""Views of a whole batch beside torchvision's transforms sample by sample, with the same parameters, on one thread.

Both make the paper's views (2 x 224 and 10 x 96 px) of 10 x 256 x 256 digital numbers, normalised and stacked by
view; the conventional side's stacking is `default_collate`. One thread each, because a worker of a DataLoader has
one. That both make the same: `tests/benchmarks/test_conventional.py`. Left out: drawing the parameters, reading
(`feeding`), accelerators.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import default_collate

from benchmarks.conventional import PerSampleViews, parameters_of
from benchmarks.harness import Comparison, arguments, compare, write
from brew.views import View, ViewParameters, ViewSettings, apply_views, draw_view_parameters


@dataclass(frozen=True)
class Sizes:
    """pixels: per side of an image."""

    batch: int
    pixels: int
    settings: ViewSettings


PAPER = Sizes(16, 256, ViewSettings())
QUICK = Sizes(3, 32, ViewSettings(global_size=24, local_size=12, locals=2, blur_kernel=7))


@dataclass(frozen=True)
class Case:
    """Images in digital numbers, and what happens to each."""

    images: Tensor
    parameters: list[ViewParameters]
    settings: ViewSettings

    @classmethod
    def draw(cls, sizes: Sizes, seed: int = 0) -> "Case":
        generator = torch.Generator().manual_seed(seed)
        shape = (sizes.batch, 10, sizes.pixels, sizes.pixels)
        images = (torch.rand(shape, generator=generator) * 5000).to(torch.uint16)
        ids, grid = torch.arange(sizes.batch), (sizes.pixels, sizes.pixels)
        return cls(images, draw_view_parameters(ids, grid, seed=seed, epoch=0, settings=sizes.settings), sizes.settings)

    def ours(self) -> list[View]:
        return apply_views(self.images, None, None, self.parameters, self.settings)

    def conventional(self, dtype: torch.dtype = torch.float32) -> dict[str, list[Tensor]]:
        """dtype: that torchvision calculates in."""
        views = PerSampleViews(self.settings)
        rows = enumerate(self.images)
        return default_collate([views(image.to(dtype), parameters_of(self.parameters, row)) for row, image in rows])


@contextmanager
def threads(number: int) -> Iterator[None]:
    """That many threads of torch within, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure(sizes: Sizes, rounds: int) -> Comparison:
    case, settings = Case.draw(sizes), sizes.settings
    return compare(
        "views of 10 bands", case.ours, case.conventional, unit="samples/s", work=sizes.batch, rounds=rounds,
        settings={
            "batch": sizes.batch,
            "image": [10, sizes.pixels, sizes.pixels],
            "global": [2, settings.global_size],
            "local": [settings.locals, settings.local_size],
            "threads": torch.get_num_threads(),
        },
    )  # fmt: skip


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given)
    with threads(1):
        write("views", measure(QUICK if chosen.quick else PAPER, chosen.rounds), quick=chosen.quick)


if __name__ == "__main__":
    main()
