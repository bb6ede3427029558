"""One face for everything whose frozen features are compared: students, optical teachers, random trunks, plain bands.

A backbone takes images in native units and gives four maps at strides 4, 8, 16 and 32, or one pooled vector per image.
`standardised=True` says that the caller has already standardised every band (change detection does so with each
scene's own statistics); the backbone then skips its own normalisation.
Left out: training a backbone. All run without gradients and in evaluation mode.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from brew.errors import BrewError
from brew.sensors import Sensor, sensor

STRIDES = (4, 8, 16, 32)
_TRUE_COLOUR = (("red", "green", "blue"), ("B4", "B3", "B2"))
_PERCENTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Images = Shaped[Tensor, "batch band y x"]


@runtime_checkable
class Backbone(Protocol):
    """What features are extracted from.

    pyramid: four maps (batch, channel, y / stride, x / stride) at `STRIDES`; if a side is no multiple, its last cell
    may be missing. pooled: (batch, width).
    """

    @property
    def name(self) -> str: ...

    def pyramid(self, images: Images, sensor: str, standardised: bool = False) -> list[Tensor]: ...

    def pooled(self, images: Images, sensor: str, standardised: bool = False) -> Tensor: ...


def cells(sides: Sequence[int], stride: int) -> list[int]:
    """Whole cells of that stride along each side of an image, and one if the side is shorter."""
    return [max(1, side // stride) for side in sides]


def check_bands(images: Images, name: str) -> Sensor:
    """The sensor of that name; BrewError if the images do not have its bands."""
    found = sensor(name)
    if images.ndim != 4 or images.shape[1] != len(found):
        raise BrewError(
            f"images of shape {tuple(images.shape)} for sensor {name!r}; expected (batch, {len(found)}, y, x) with the "
            f"bands {', '.join(found.band_names)}"
        )
    return found


@dataclass(frozen=True)
class StudentBackbone:
    """A student (ours or the authors'): its own maps and pooled output.

    trained: maps and pooled vectors carry gradients, for fine-tuning.
    """

    name: str
    student: nn.Module
    trained: bool = False

    def __post_init__(self) -> None:
        self.student.eval()

    def pyramid(self, images: Images, sensor: str, standardised: bool = False) -> list[Tensor]:
        check_bands(images, sensor)
        with torch.set_grad_enabled(self.trained and torch.is_grad_enabled()):
            maps = self.student(images, sensor=sensor, normalised=standardised).maps
        return [maps[f"stride{stride}"] for stride in STRIDES]

    def pooled(self, images: Images, sensor: str, standardised: bool = False) -> Tensor:
        check_bands(images, sensor)
        with torch.set_grad_enabled(self.trained and torch.is_grad_enabled()):
            return self.student(images, sensor=sensor, normalised=standardised).pooled

    def trainable(self, device: str) -> "StudentBackbone":
        """The same with a copy of the student on the device, whose weights take gradients."""
        own = copy.deepcopy(self.student).to(device)
        own.requires_grad_(True)
        return StudentBackbone(self.name, own, trained=True)


def random_backbone(name: str, build: Callable[[], nn.Module], seed: int) -> StudentBackbone:
    """An untrained student, the floor that pretraining has to beat; leaves the global random state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return StudentBackbone(name, build())


@dataclass(frozen=True)
class TeacherBackbone:
    """An optical teacher: sees the three true-colour bands and nothing else.

    teacher: display image (batch, 3, y, x) in [0, 1] -> an object with class_token, late and middle; if it has
    `pyramid`, that gives four maps of its own, or None.
    mean, std: how standardised images are displayed: mean + std * image, cut at 0 and 1; the mean and deviation of the
    photographs that the teacher knows (by default ImageNet's), so that about two deviations of a scene lie between
    black and white. patch: images are resized to whole patches, after they are enlarged `magnify` times, since a patch
    of 16 pixels of 10 m spans more than most objects.
    Maps: the network's own four, else the middle layer's patches at strides 4 and 8, the last layer's at 16 and 32;
    resized bilinearly.
    Raises BrewError if mean and std would display a standardised image mostly black.
    """

    name: str
    teacher: nn.Module
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    patch: int = 1
    magnify: float = 1.0

    def __post_init__(self) -> None:
        self.teacher.eval()

    @torch.no_grad()
    def pyramid(self, images: Images, sensor: str, standardised: bool = False) -> list[Tensor]:
        display = self._display(images, sensor, standardised)
        sizes = [cells(images.shape[2:], stride) for stride in STRIDES]
        own = getattr(self.teacher, "pyramid", None)
        layers = own(display) if own else None
        if layers is None:
            features = self.teacher(display)
            layers = [features.middle, features.middle, features.late, features.late]
        return [
            F.interpolate(layer, size=size, mode="bilinear", align_corners=False)
            for layer, size in zip(layers, sizes, strict=True)
        ]

    @torch.no_grad()
    def pooled(self, images: Images, sensor: str, standardised: bool = False) -> Tensor:
        return self.teacher(self._display(images, sensor, standardised)).class_token

    def _display(self, images: Images, sensor: str, standardised: bool) -> Float[Tensor, "batch 3 _y _x"]:
        found = check_bands(images, sensor)
        colour = images[:, true_colour(found)].float()
        if standardised:
            if min(self.mean) <= 0 or max(self.std) >= 1:
                raise BrewError(
                    f"teacher {self.name!r} displays standardised images with mean {self.mean}, std {self.std}; "
                    "expected those of photographs, between 0 and 1: leave both at their defaults"
                )
            display = self._per_band(self.mean, colour) + self._per_band(self.std, colour) * colour
        else:
            display = colour / found.white
        display = display.clamp(0, 1)
        size = [max(1, round(side * self.magnify / self.patch)) * self.patch for side in images.shape[2:]]
        if size == list(images.shape[2:]):
            return display
        return F.interpolate(display, size=size, mode="bilinear", align_corners=False, antialias=True)

    @staticmethod
    def _per_band(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)


def true_colour(found: Sensor) -> list[int]:
    """Channels of red, green and blue; BrewError for a sensor without them."""
    for names in _TRUE_COLOUR:
        if set(names) <= set(found.band_names):
            return [found.band_names.index(name) for name in names]
    raise BrewError(f"sensor {found.name!r} has the bands {', '.join(found.band_names)}; expected red, green and blue")


@dataclass(frozen=True)
class BandStatistics:
    """No network: the bands themselves.

    pooled: per band mean, standard deviation and the 5, 25, 50, 75 and 95 % points.
    Maps: at stride 4 the 4 x 4 pixels of every cell as channels (nothing is lost), above it the bands' means. Rows and
    columns beyond the last whole cell are not seen, as in a student's stem.
    """

    name: str = "band-statistics"

    def pyramid(self, images: Images, sensor: str, standardised: bool = False) -> list[Tensor]:
        values = self._normalised(images, sensor, standardised)
        sides, first = values.shape[2:], STRIDES[0]
        whole = values[..., : sides[0] // first * first, : sides[1] // first * first]
        means = [F.avg_pool2d(values, [min(stride, side) for side in sides]) for stride in STRIDES[1:]]
        return [F.pixel_unshuffle(whole, first), *means]

    def pooled(self, images: Images, sensor: str, standardised: bool = False) -> Tensor:
        values = self._normalised(images, sensor, standardised).flatten(2)
        points = torch.quantile(values, torch.tensor(_PERCENTILES, device=values.device), dim=2)
        return torch.cat([values.mean(2), values.std(2), *points], dim=1)

    @staticmethod
    def _normalised(images: Images, sensor: str, standardised: bool) -> Float[Tensor, "batch band y x"]:
        found = check_bands(images, sensor)
        if standardised:
            return images.float()
        mean, std = (torch.tensor(values, device=images.device).view(1, -1, 1, 1) for values in (found.mean, found.std))
        return (images.float() - mean) / std
