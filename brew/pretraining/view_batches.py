"""The views of one step, from one source or several."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from brew.errors import BrewError
from brew.views import View


class Labels(NamedTuple):
    """Labels of one supervised task for the samples of its path.

    rows: which samples have them. values: per global view, of places (labelled, y, x) or of images (labelled,).
    expected: how many samples are labelled on average.
    """

    rows: Int64[Tensor, " labelled"]
    values: Sequence[Int64[Tensor, "labelled *_places"]]
    expected: float


class ViewBatch:
    """The views of one step. samples: per path, the identifiers of the samples that have an image for it.

    hidden: per masked path and global view, the pixels that a masked student does not see.
    later: the global views' geometry on another date of the same places. labels: per supervised task.
    A plain class: Fabric takes dataclasses apart to convert the tensors in them, and these stay as they are.
    """

    def __init__(
        self,
        views: Sequence[View],
        samples: Mapping[str, Int64[Tensor, " batch"]],
        hidden: Mapping[tuple[str, str], Bool[Tensor, "batch y x"]] = MappingProxyType({}),
        later: Sequence[View] = (),
        labels: Mapping[str, Labels] = MappingProxyType({}),
    ):
        self.views, self.samples, self.hidden = views, samples, hidden
        self.later, self.labels = later, labels

    @property
    def global_views(self) -> list[View]:
        return [view for view in self.views if view.is_global]

    def images(self, view: View, path: str) -> Float[Tensor, "batch channel y x"]:
        own = {"multispectral": view.multispectral, "optical": view.optical}
        images = own[path] if path in own else view.others.get(path)
        if images is None:
            raise BrewError(f"view {view.name!r} has no image for path {path!r}; expected one; look at the arm's feeds")
        return images


def merge(parts: Sequence[ViewBatch], path_of: Mapping[str, str] = MappingProxyType({})) -> ViewBatch:
    """One batch from several sources; a sample that lacks a sensor is simply absent from that sensor's tensors.

    path_of: the path of each supervised task.
    """
    if len(parts) == 1:
        return parts[0]
    paths = {path for part in parts for path in part.samples}
    samples = {path: torch.cat([part.samples[path] for part in parts if path in part.samples]) for path in paths}
    masked = dict.fromkeys(key for part in parts for key in part.hidden)
    hidden = {key: torch.cat([part.hidden[key] for part in parts if key in part.hidden]) for key in masked}
    later = _merged_views([part.later for part in parts if part.later])
    labels = {task: _merged_labels(parts, task, path) for task, path in path_of.items()}
    return ViewBatch(_merged_views([part.views for part in parts]), samples, hidden, later, labels)


def _merged_labels(parts: Sequence[ViewBatch], task: str, path: str) -> Labels:
    """The rows of each part's labels follow the samples of the parts before it."""
    rows, values, expected, before = [], [], 0.0, 0
    for part in parts:
        if task in part.labels:
            own = part.labels[task]
            rows.append(own.rows + before)
            values.append(own.values)
            expected += own.expected
        before += len(part.samples[path]) if path in part.samples else 0
    return Labels(torch.cat(rows), [torch.cat(same) for same in zip(*values, strict=True)], expected)


def _merged_views(parts: Sequence[Sequence[View]]) -> list[View]:
    return [
        View(
            name=same[0].name,
            is_global=same[0].is_global,
            multispectral=_join(view.multispectral for view in same),
            optical=torch.cat([view.optical for view in same]),
            display=_join(view.display for view in same),
            others={
                path: torch.cat([view.others[path] for view in same if path in view.others])
                for path in dict.fromkeys(path for view in same for path in view.others)
            },
        )
        for same in zip(*parts, strict=True)
    ]


def _join(tensors: Iterable[Tensor | None]) -> Tensor | None:
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(present) if present else None
