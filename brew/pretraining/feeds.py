"""Where batches come from, and the views of a step that are made of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from jaxtyping import Int64
from torch import Tensor

from brew import randomness
from brew.data.batches import Batch
from brew.errors import BrewError
from brew.pretraining.arms import Arm
from brew.pretraining.label_batches import labels_of
from brew.pretraining.supervised_tasks import supervised_task
from brew.pretraining.view_batches import Labels, ViewBatch, merge
from brew.sensors import PAPER_PATHS
from brew.views import View, ViewSettings, draw_mask, make_views


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
        samples = samples_of(feed, batch)
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
        later = _later_views(feed, batch, arm, seen, samples_of(feed, batch), as_arm, seed, epoch)
        labels = _labels(feed, batch, arm, samples_of(feed, batch), as_arm, seed, epoch)
        parts.append(ViewBatch(views, seen, hidden, later, labels))
        epochs.append(epoch)
    for entry in arm.supervision:
        if not any(entry.task in part.labels for part in parts):
            task = supervised_task(entry.task)
            raise BrewError(
                f"arm {arm.name!r} learns from {task.name!r}, but no feed gives {task.variable!r} of {task.source!r}; "
                f"expected a feed of that source"
            )
    return merge(parts, {entry.task: entry.path for entry in arm.supervision}), epochs[0]


def samples_of(feed: Feed, batch: Batch) -> Int64[Tensor, " batch"]:
    """Identifiers on the host, where views draw their parameters. Sample 3 of two sources are two samples."""
    return batch.samples.cpu() + (randomness.key(feed.name) >> 32 << 32)


def _later_views(
    feed: Feed,
    batch: Batch,
    arm: Arm,
    seen: Mapping[str, Tensor],
    samples: Int64[Tensor, " batch"],
    settings: ViewSettings,
    seed: int,
    epoch: int,
) -> list[View]:
    """The global views again, on the other date; none if the arm compares no dates of what the feed shows."""
    compared = [path for path in arm.dated_paths if path in seen]
    if not compared:
        return []
    if not batch.later:
        raise BrewError(
            f"feed {feed.name!r} gives one date of each place, and arm {arm.name!r} compares two through "
            f"{', '.join(compared)}; expected a feed of pairs from a store of several dates"
        )
    others = {path: batch.later[path] for path in compared if path in batch.later and path not in PAPER_PATHS}
    return make_views(
        batch.later.get("multispectral"), batch.later.get("optical"), None, samples=samples, seed=seed, epoch=epoch,
        settings=replace(settings, locals=0), others=others,
    )  # fmt: skip


def _labels(
    feed: Feed,
    batch: Batch,
    arm: Arm,
    samples: Int64[Tensor, " batch"],
    settings: ViewSettings,
    seed: int,
    epoch: int,
) -> dict[str, Labels]:
    """The arm's labels that this source has, by task."""
    found = {}
    for entry in arm.supervision:
        if supervised_task(entry.task).source == feed.name:
            labels = labels_of(entry, batch, samples, replace(settings, locals=0), seed, epoch)
            if labels is not None:
                found[entry.task] = labels
    return found
