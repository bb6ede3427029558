"""A frozen network as a teacher: what it reads, what it says of an image, and its mean features.

Left out: which networks there are (`brew.models.teachers`), and how a student learns from one
(`brew.pretraining.objective`).

Source: paper, section 3.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brew.errors import BrewError
from brew.models.matrix_products import asked_precision
from brew.models.miniature_teacher import Colour, TeacherFeatures

_TOKENS = ("class_token", "late", "middle")


@runtime_checkable
class HasPyramid(Protocol):
    """A network that also gives maps at strides 4, 8, 16 and 32."""

    def pyramid(self, images: Float[Tensor, "batch 3 y x"]) -> list[Tensor]: ...


class OpticalTeacher(nn.Module):
    """A frozen network that reads display images and gives its class token and two maps of patch tokens.

    It stays in evaluation mode, whatever contains it, and no gradient flows into it. It resizes images bilinearly to
    sides that are multiples of `multiple` pixels (the patch), so no border is cut off. It enlarges images with a side
    below `smallest` pixels to that size.

    network: normalised images (batch, 3, y, x) -> TeacherFeatures. mean, std: of display images in [0, 1].
    width, late_width, middle_width: channels of the class token and of the two maps.
    centred: the teacher is meant to be used without its mean features (`centre_on`). All features of a network with
        one-sided activations share a large mean, and cosine similarity would see little else.
    """

    mean: Tensor
    std: Tensor
    centre_class_token: Tensor
    centre_late: Tensor
    centre_middle: Tensor
    centre_images: Tensor

    def __init__(
        self,
        name: str,
        network: nn.Module,
        mean: Colour,
        std: Colour,
        width: int,
        late_width: int,
        middle_width: int,
        multiple: int = 1,
        centred: bool = False,
        smallest: int = 1,
    ):
        super().__init__()
        self.name, self.multiple, self.centred, self.smallest = name, multiple, centred, smallest
        self.width, self.late_width, self.middle_width = width, late_width, middle_width
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        for token, channels in zip(_TOKENS, (width, late_width, middle_width), strict=True):
            self.register_buffer(f"centre_{token}", torch.zeros(channels))
        self.register_buffer("centre_images", torch.zeros((), dtype=torch.int64))
        self._range_checked = False
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "OpticalTeacher":
        """Stays in evaluation mode: a frozen teacher's dropout and running statistics never act."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, display: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        """Features of display images in [0, 1], less the centres if there are any.

        Raises BrewError if the values are plainly in another unit.
        """
        raw = self._read(display)
        return TeacherFeatures(
            class_token=raw.class_token - self.centre_class_token,
            late=raw.late - self.centre_late[:, None, None],
            middle=raw.middle - self.centre_middle[:, None, None],
        )

    @torch.no_grad()
    def centre_on(self, batches: Iterable[Tensor]) -> None:
        """Take the mean features of display images (the training images) as centres, in place of earlier ones.

        batches: each (batch, 3, y, x), in [0, 1]; their sizes may differ.
        The mean is over images, and within an image over its patches. Raises BrewError if there are no images, or if
        the mean is not finite.
        """
        sums, images = [torch.zeros((), dtype=torch.float64) for _ in _TOKENS], 0
        for display in batches:
            raw = self._read(display.to(self.mean.device))
            means = (raw.class_token, raw.late.mean((2, 3)), raw.middle.mean((2, 3)))
            sums = [total + each.cpu().double().sum(0) for total, each in zip(sums, means, strict=True)]
            images += len(display)
        if not images:
            raise BrewError(f"no images to centre {self.name!r} on; expected the training images; look at the source")
        self.load_centres(
            {"teacher": self.name, "images": images}
            | {token: (total / images).float() for token, total in zip(_TOKENS, sums, strict=True)}
        )

    def centres(self) -> dict[str, Any]:
        """What `load_centres` takes: the teacher's name, the number of images, and a mean per kind of token.

        It holds plain tensors (on the CPU) and values, so torch saves it and loads it with ``weights_only=True``.
        """
        means = {token: self.get_buffer(f"centre_{token}").cpu().clone() for token in _TOKENS}
        return {"teacher": self.name, "images": int(self.centre_images), **means}

    def load_centres(self, centres: Mapping[str, Any]) -> None:
        """Use centres that `centres` gave; BrewError if they are another teacher's, or not finite."""
        expected = {"teacher", "images", *_TOKENS}
        if set(centres) != expected:
            raise BrewError(f"centres hold {sorted(centres)}; expected {sorted(expected)}; make them with centre_on")
        if centres["teacher"] != self.name:
            raise BrewError(
                f"centres belong to teacher {centres['teacher']!r}; expected {self.name!r}; make them with its "
                "centre_on"
            )
        for token in _TOKENS:
            buffer, value = self.get_buffer(f"centre_{token}"), centres[token]
            if value.shape != buffer.shape or not value.isfinite().all():
                raise BrewError(
                    f"centre {token!r} of {self.name!r} has shape {tuple(value.shape)}, finite: "
                    f"{bool(value.isfinite().all())}; expected {tuple(buffer.shape)} and finite values; look at the "
                    "images that it was made from, then make it anew with centre_on"
                )
        for token in _TOKENS:
            self.get_buffer(f"centre_{token}").copy_(centres[token])
        self.centre_images.fill_(centres["images"])

    @torch.no_grad()
    def pyramid(self, display: Float[Tensor, "batch 3 y x"]) -> list[Tensor] | None:
        """Maps at strides 4, 8, 16 and 32 of a network that has them, such as a convolutional one; else None.

        For evaluating the teacher itself: distillation uses `forward`. Not centred.
        """
        if not isinstance(self.network, HasPyramid):
            return None
        return self.network.pyramid(self.prepared(display))

    def _read(self, display: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        with asked_precision(display):
            return self.network(self.prepared(display))

    def sides(self, given: Sequence[int]) -> list[int]:
        """Pixels per side of what the network takes of images with the given sides."""
        enlarge = max(1.0, self.smallest / min(given))
        return [max(round(side * enlarge / self.multiple), 1) * self.multiple for side in given]

    def prepared(self, display: Float[Tensor, "batch 3 y x"]) -> Float[Tensor, "batch 3 _y _x"]:
        """What the network takes: whole patches, at least `smallest` wide, normalised."""
        self._check(display)
        sides = self.sides(display.shape[2:])
        if sides != list(display.shape[2:]):
            display = F.interpolate(display, size=sides, mode="bilinear", antialias=True)
        return (display - self.mean) / self.std

    def _check(self, display: Tensor) -> None:
        if self._range_checked:  # reading a value makes an accelerator wait, so only the first batch is looked at
            return
        low, high = (float(each) for each in display.aminmax())
        sound = low >= -1 and high <= 2  # not if NaN; bicubic resampling may pass the ends of [0, 1] a little
        if not sound or not display.is_floating_point():
            raise BrewError(
                f"images of {display.dtype} between {low:.4g} and {high:.4g} for teacher {self.name!r}; expected "
                "floating-point display values in [0, 1]; divide by the sensor's white (255 for 8-bit images)"
            )
        self._range_checked = True
