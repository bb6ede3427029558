"""Where batches come from, and the views of a step that are made of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from brew import randomness
from brew.data.batches import Batch
from brew.pretraining.arms import Arm
from brew.pretraining.view_batches import ViewBatch, merge
from brew.sensors import PAPER_PATHS
from brew.views import ViewSettings, draw_mask, make_views


@runtime_checkable
class Feed(Protocol):
    """A source of batches: raw integers on the training device, every sample once per epoch.

    Of several processes each gets another share of every batch, all shares of one size.
    """

    @property
    def name(self) -> str: ...

    def __len__(self) -> int: ...

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]: ...


def stream(feed: Feed, step: int) -> Iterator[tuple[int, Batch]]:
    """Batches of `feed` from global step `step` on, epoch after epoch, each with its epoch."""
    epoch, within = divmod(step, len(feed))
    while True:
        for batch in feed.epoch(epoch, within):
            yield epoch, batch
        epoch, within = epoch + 1, 0


def views_of_step(
    feeds: Sequence[Feed], streams: Sequence[Iterator[tuple[int, Batch]]], arm: Arm, settings: ViewSettings, seed: int
) -> tuple[ViewBatch, int]:
    """One batch from each feed, as views; the epoch is that of the first feed."""
    parts, epochs = [], []
    for feed, stream in zip(feeds, streams, strict=True):
        epoch, batch = next(stream)
        multispectral, optical = batch.arrays.get("multispectral"), batch.arrays.get("optical")
        # Images without a multispectral partner are the optical stem's alone, whatever the arm does with pairs.
        high_resolution = arm.high_resolution if multispectral is not None else "optical"
        as_arm = replace(settings, optical_augmentation=arm.optical_augmentation, high_resolution=high_resolution)
        # Sample 3 of two sources are two samples. On the host, where views draw their parameters.
        samples = batch.samples.cpu() + (randomness.key(feed.name) >> 32 << 32)
        others = {path: batch.arrays[path] for path in arm.paths if path in batch.arrays and path not in PAPER_PATHS}
        views = make_views(
            multispectral, optical, None, samples=samples, seed=seed, epoch=epoch, settings=as_arm, others=others
        )
        samples = samples.to(views[0].optical.device, non_blocking=True)
        present = {"optical", *others} | ({"multispectral"} if multispectral is not None else set())
        seen = {path: samples for path in arm.paths if path in present}
        hidden = {
            (entry.path, view.name): draw_mask(
                seed, epoch, samples, view.name, settings.global_size, settings.mask_patch, settings.mask_ratio
            )
            for entry in arm.masking if entry.path in seen for view in views if view.is_global
        }  # fmt: skip
        parts.append(ViewBatch(views, seen, hidden))
        epochs.append(epoch)
    return merge(parts), epochs[0]
