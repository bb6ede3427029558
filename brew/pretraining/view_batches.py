"""The views of one step, from one source or several."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from brew.errors import BrewError
from brew.views import View


class ViewBatch:
    """The views of one step. samples: per path, the identifiers of the samples that have an image for it.

    hidden: per masked path and global view, the pixels that a masked student does not see.
    A plain class: Fabric takes dataclasses apart to convert the tensors in them, and these stay as they are.
    """

    def __init__(
        self,
        views: Sequence[View],
        samples: Mapping[str, Int64[Tensor, " batch"]],
        hidden: Mapping[tuple[str, str], Bool[Tensor, "batch y x"]] = MappingProxyType({}),
    ):
        self.views, self.samples, self.hidden = views, samples, hidden

    @property
    def global_views(self) -> list[View]:
        return [view for view in self.views if view.is_global]

    def images(self, view: View, path: str) -> Float[Tensor, "batch channel y x"]:
        own = {"multispectral": view.multispectral, "optical": view.optical}
        images = own[path] if path in own else view.others.get(path)
        if images is None:
            raise BrewError(f"view {view.name!r} has no image for path {path!r}; expected one; look at the arm's feeds")
        return images


def merge(parts: Sequence[ViewBatch]) -> ViewBatch:
    """One batch from several sources; a sample that lacks a sensor is simply absent from that sensor's tensors."""
    if len(parts) == 1:
        return parts[0]
    views = [
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
        for same in zip(*(part.views for part in parts), strict=True)
    ]
    paths = {path for part in parts for path in part.samples}
    samples = {path: torch.cat([part.samples[path] for part in parts if path in part.samples]) for path in paths}
    masked = dict.fromkeys(key for part in parts for key in part.hidden)
    hidden = {key: torch.cat([part.hidden[key] for part in parts if key in part.hidden]) for key in masked}
    return ViewBatch(views, samples, hidden)


def _join(tensors: Iterable[Tensor | None]) -> Tensor | None:
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(present) if present else None
