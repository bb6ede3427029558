"""Fine-tuning: a student and its decoder trained together, from images, in the harness of the decoders.

The decoder starts as on the frozen student, with the same weights and standardisation; the student is a copy, so that
the next seed starts where this one did. Its maps are computed anew in every step. A training crop is cut from the image
and not from its maps, so the student sees no context around it.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from brew.errors import BrewError
from brew.evaluation.backbones import Backbone, StudentBackbone
from brew.evaluation.fed_backbones import FedBackbone
from brew.evaluation.fit import FineTuned, build_decoder
from brew.evaluation.frozen_features import Images, extract_maps

#: What is decoded of images: a backbone's four maps, or the difference of two dates'.
MapsOf = Callable[[Backbone, Tensor], list[Tensor]]


def finetuned(
    backbone: Backbone, maps_of: MapsOf, images: Images, classes: int, width: int, seed: int, device: str = "cpu"
) -> FineTuned:
    """A copy of the student and a fresh decoder as one network, which `fit` trains.

    maps_of: what the decoder is fed with. images: of training, whose maps it standardises by.
    Raises BrewError for a backbone that is no student.
    """
    own = trainable(backbone, device)
    maps = extract_maps(lambda part: maps_of(own, part), images.read, images.samples)
    return FineTuned(own.student, build_decoder(maps, classes, width, seed, device), lambda part: maps_of(own, part))


def trainable(backbone: Backbone, device: str) -> StudentBackbone | FedBackbone:
    """A copy of the student that is trained; BrewError for a backbone that is no student."""
    if isinstance(backbone, FedBackbone):
        return replace(backbone, backbone=trainable(backbone.backbone, device))
    if not isinstance(backbone, StudentBackbone):
        raise BrewError(
            f"backbone {backbone.name!r} is a {type(backbone).__name__}; expected a student, the only kind that is "
            "fine-tuned. Set finetune to 0, or leave the backbone out"
        )
    return backbone.trainable(device)
