"""The labels that a step's batch brings for an arm's supervised tasks, under the geometry of its global views."""

import torch
from jaxtyping import Int64
from torch import Tensor

from brew import randomness
from brew.data.batches import Batch
from brew.pretraining.arms import Supervision
from brew.pretraining.supervised_tasks import LABEL_STRIDE, UNLABELLED, check_classes, supervised_task
from brew.pretraining.view_batches import Labels
from brew.views import ViewSettings, crop_labels, draw_view_parameters


def labels_of(
    entry: Supervision, batch: Batch, samples: Int64[Tensor, " batch"], settings: ViewSettings, seed: int, epoch: int
) -> Labels | None:
    """The labels of one task; None if the batch's source has none of them.

    samples: identifiers that key which of them are labelled: a larger share holds a smaller one. On the host.
    Raises BrewError for labels outside the task's classes (on the CPU; a GPU is not waited for).
    """
    task = supervised_task(entry.task)
    if task.variable not in batch.arrays:
        return None
    drawn = randomness.uniform(seed, 0, samples, f"labels/{task.name}", 1)[:, 0]
    rows = torch.nonzero(drawn < entry.share)[:, 0]
    labels = batch.arrays[task.variable]
    if labels.device.type == "cpu":
        counted = labels[labels != UNLABELLED]
        if len(counted):
            check_classes(task, int(counted.min()), int(counted.max()))
    rows_there = rows.to(labels.device, non_blocking=True)
    if not task.dense:
        values = [labels[rows_there].long()] * 2
    else:
        rows_of, columns_of = min(image.shape[-2:] for image in batch.arrays.values() if image.ndim == 4)
        grid = (rows_of, columns_of)
        # Draws of the global views, as `make_views` makes them.
        views = draw_view_parameters(samples, grid, seed=seed, epoch=epoch, settings=settings)
        size = max(1, settings.global_size // LABEL_STRIDE)
        cropped = [crop_labels(labels, view.geometry, grid, size) for view in views if view.is_global]
        values = [each[rows_there] for each in cropped]
    return Labels(rows_there, values, entry.share * len(samples))
