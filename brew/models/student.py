"""The student: one stem per path, one trunk; and its files.

`student(images, sensor="sentinel2")` takes native units and normalises inside. Training uses `tokens` and the trunk
directly, on views that are normalised already. Left out: heads (`brew.models.heads`), which only training needs.

Source: paper, section 3; released code's `MultiCropWrapper`.
"""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from brew.errors import BrewError, nearest
from brew.models.features import Features
from brew.models.stems import Stem
from brew.models.swin import Swin
from brew.models.vit import ViT
from brew.sensors import PATHS, SENSORS, Sensor, sensor

Trunk = Swin | ViT

#: A band stands in for another one whose central wavelength differs by less than this (red of a camera for B4).
_SAME_BAND_UM = 0.05
#: Largest value that floating-point reflectance or brightness in [0, 1] may hold; beyond it, values are native units.
_FRACTION = 2.0
_FORMAT = "brew-student/1"


#: A trunk from the drop probability of its last block.
BuildTrunk = Callable[[float], Trunk]


@dataclass(frozen=True)
class Backbone:
    """A trunk's size. stochastic_depth: default drop probability of its last block. summary: where it is used."""

    name: str
    build: BuildTrunk
    stochastic_depth: float
    summary: str


def _swin(width: int, depths: tuple[int, ...], heads: tuple[int, ...], window: int) -> BuildTrunk:
    return lambda stochastic_depth: Swin(width, depths, heads, window, stochastic_depth)


def _vit(width: int, depth: int, heads: int, patch: int, grid: int) -> BuildTrunk:
    return lambda stochastic_depth: ViT(width, depth, heads, patch, grid, stochastic_depth)


#: The trunk sizes. Stochastic depth: torchvision's for Swin, the released command's for ViT.
TRUNKS: dict[str, Backbone] = {
    entry.name: entry
    for entry in (
        Backbone("swin-nano", _swin(16, (1, 1, 1, 1), (1, 2, 4, 8), 4), 0.0, "tests, scale tiny"),
        Backbone("swin-micro", _swin(48, (2, 2, 2, 2), (2, 4, 8, 16), 4), 0.1, "scale miniature: 64 px on a CPU"),
        Backbone("swin-t", _swin(96, (2, 2, 6, 2), (3, 6, 12, 24), 7), 0.2, "the paper's ablation"),
        Backbone("swin-b", _swin(128, (2, 2, 18, 2), (4, 8, 16, 32), 12), 0.5, "the released DEO Swin-B"),
        Backbone("vit-micro", _vit(96, 6, 3, 8, 8), 0.1, "scale miniature: 64 px on a CPU"),
        Backbone("vit-s16", _vit(384, 12, 6, 16, 14), 0.1, "ViT-S/16"),
        Backbone("vit-b8", _vit(768, 12, 12, 8, 28), 0.1, "the released DEO ViT-B/8"),
    )
}


@dataclass(frozen=True)
class Route:
    """How an image of a sensor enters the student.

    path: the stem. channels: for each of the stem's channels, the image's band that fills it, or None.
    absent: the stem's bands that the image lacks; they hold their mean (0 once normalised).
    unused: the image's bands that the stem does not read.
    """

    path: str
    channels: tuple[int | None, ...]
    absent: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def absent_bands_at_mean(self) -> bool:
        return bool(self.absent)


class Student(nn.Module):
    """A trunk behind one stem per path.

    trunk: takes token maps (batch, y, x, width), gives Features.
    backbone: its name in TRUNKS. paths: stem name -> channels.
    trained_paths: the stems that training reached; an image of a sensor whose stem is not among them takes another
        one, see `route`.
    maskable: adds a learned token that stands in for masked patches.
    provenance: what is known of the weights' origin; travels with the file.
    """

    def __init__(
        self,
        trunk: Trunk,
        backbone: str,
        paths: Mapping[str, int] = PATHS,
        trained_paths: Sequence[str] | None = None,
        maskable: bool = False,
    ):
        super().__init__()
        self.backbone = backbone
        self.trained_paths = _known_paths(paths if trained_paths is None else trained_paths, paths)
        self.provenance: dict[str, Any] = {}
        self.trunk = trunk
        self.stems = nn.ModuleDict(
            {path: Stem(channels, trunk.stem_width, trunk.patch, trunk.stem_norm) for path, channels in paths.items()}
        )
        self.mask_token = nn.Parameter(torch.zeros(trunk.stem_width)) if maskable else None

    @property
    def width(self) -> int:
        """Of the pooled vector."""
        return self.trunk.width

    @property
    def late_width(self) -> int:
        return self.trunk.late_width

    @property
    def middle_width(self) -> int:
        return self.trunk.middle_width

    @property
    def channels(self) -> dict[str, int]:
        """Channels of each map of the features."""
        return {f"stride{s}": channels for s, channels in zip(self.trunk.strides, self.trunk.channels, strict=True)}

    def tokens(
        self,
        images: Float[Tensor, "batch channel y x"],
        path: str,
        mask: Bool[Tensor, "batch patch_y patch_x"] | None = None,
    ) -> Float[Tensor, "batch patch_y patch_x width"]:
        """The trunk's input: normalised images through the stem `path`.

        mask: patches to replace by the mask token, which the student must have been built with.
        """
        if path not in self.stems:
            raise BrewError(f"path {path!r} has no stem; {nearest(path, tuple(self.stems))}")
        tokens = self.stems[path](images)
        if mask is None:
            return tokens
        if self.mask_token is None:
            raise BrewError("patches are to be masked, but the student has no mask token; build it with maskable=True")
        return torch.where(mask[..., None], self.mask_token.to(tokens.dtype), tokens)

    def encode(
        self,
        images: Float[Tensor, "batch channel y x"],
        path: str,
        drop: Float[Tensor, "batch draws"] | None = None,
        mask: Bool[Tensor, "batch patch_y patch_x"] | None = None,
    ) -> Features:
        """Features of normalised images through the stem `path`.

        drop: stochastic depth's draws in [0, 1), two per sample and block (`trunk.blocks`); None drops nothing.
        """
        return self.trunk(self.tokens(images, path, mask), drop)

    def route(self, name: str) -> Route:
        """How images of sensor `name` enter: through their own stem where training reached it.

        Otherwise through the trained stem that reads most of their bands, matched by wavelength: an aerial image then
        fills B4, B3 and B2 of the multispectral stem, whose other bands stay at their mean, as in the ablation's rows
        without an optical stem. Raises BrewError where no trained stem reads any of the bands.
        """
        source = sensor(name)
        if source.path in self.trained_paths:
            return Route(source.path, tuple(range(len(source))))
        routes = [_route(source, path) for path in self.trained_paths]
        best = min(routes, key=lambda route: len(route.unused), default=None)
        if best is None or len(best.unused) == len(source):
            raise BrewError(
                f"no trained stem of this student reads any band of sensor {name!r} (trained: "
                f"{', '.join(self.trained_paths) or 'none'}); expected one for {source.path!r} or for bands of like "
                "wavelengths; use a student whose trained_paths include it"
            )
        return best

    def forward(self, images: Tensor, sensor: str = "sentinel2", normalised: bool = False) -> Features:
        """Features of images in native units.

        images: (batch, band, y, x), any integer or floating type, bands in the order of `SENSORS[sensor]`.
        sensor: "sentinel2" (digital numbers, ten bands), "sentinel2-rgb" (its B4 B3 B2) or "rgb" (0-255).
        normalised: the images are (value - mean) / std already; only shape and finiteness are checked then.
        Raises BrewError for a wrong number of bands, values in another unit, NaN, or less than one patch.
        """
        route = self.route(sensor)
        source = SENSORS[sensor]
        values = self._checked(images, source, normalised)
        if not normalised:
            mean, std = (values.new_tensor(each).view(-1, 1, 1) for each in (source.mean, source.std))
            values = (values - mean) / std
        return self.encode(_through(values, route), route.path)

    def _checked(self, images: Tensor, source: Sensor, normalised: bool) -> Tensor:
        if images.ndim != 4 or images.shape[1] != len(source):
            raise BrewError(
                f"images have shape {tuple(images.shape)}; expected (batch, {len(source)}, y, x) for sensor "
                f"{source.name!r}, whose bands are {' '.join(source.band_names)}; reorder or select the bands, or name "
                f"another sensor ({', '.join(SENSORS)})"
            )
        if min(images.shape[2:]) < self.trunk.patch or len(images) == 0:
            raise BrewError(
                f"images have shape {tuple(images.shape)}; expected at least one image of {self.trunk.patch} x "
                f"{self.trunk.patch} px; pad them"
            )
        values = images.to(next(self.parameters()).dtype)
        low, high = (each.item() for each in torch.aminmax(values))
        if low != low or high - low == float("inf") or (not normalised and not _plausible(images, low, high, source)):
            raise BrewError(self._implausible(images, source, normalised))
        return values

    @staticmethod
    def _implausible(images: Tensor, source: Sensor, normalised: bool) -> str:
        """What is wrong with `images`, and in which band."""
        for band, values in zip(source.band_names, images.float().unbind(1), strict=True):
            where = f"sensor {source.name!r}, band {band}"
            if not values.isfinite().all():
                return f"{where}: NaN or infinite values; expected finite ones; fill or leave out nodata first"
            low, high = values.min().item(), values.max().item()
            if not normalised and not source.valid[0] <= low <= high <= source.valid[1]:
                return (
                    f"{where}: values in [{low:g}, {high:g}]; expected {source.unit} in [{source.valid[0]:g}, "
                    f"{source.valid[1]:g}]; mask nodata, or pass normalised=True for normalised images"
                )
        return (
            f"sensor {source.name!r}: values of type {str(images.dtype).removeprefix('torch.')} up to "
            f"{images.float().max().item():g} look like fractions (reflectance or brightness in [0, 1]); expected "
            f"{source.unit}; multiply by {_per_fraction(source):g}, or pass normalised=True for normalised images"
        )


def _known_paths(names: Sequence[str] | Mapping[str, int], paths: Mapping[str, int]) -> tuple[str, ...]:
    for name in names:
        if name not in paths:
            raise BrewError(f"path {name!r} is unknown; {nearest(name, tuple(paths))}")
    return tuple(path for path in paths if path in names)


def _route(source: Sensor, path: str) -> Route:
    """`source` through a stem that is not its own: bands matched by wavelength."""
    stem = next(each for each in SENSORS.values() if each.path == path)
    channels: list[int | None] = []
    for wavelength in stem.wavelengths_um:
        band = min(range(len(source)), key=lambda i: abs(source.wavelengths_um[i] - wavelength))
        # The nearest in both directions: of several bands close together, only one stands for another.
        back = min(stem.wavelengths_um, key=lambda each: abs(each - source.wavelengths_um[band]))
        close = abs(source.wavelengths_um[band] - wavelength) < _SAME_BAND_UM
        channels.append(band if close and back == wavelength else None)
    return Route(
        path,
        tuple(channels),
        absent=tuple(name for name, band in zip(stem.band_names, channels, strict=True) if band is None),
        unused=tuple(name for i, name in enumerate(source.band_names) if i not in channels),
    )


def _through(values: Tensor, route: Route) -> Tensor:
    """The stem's channels; absent bands at their mean, which is 0."""
    if route.channels == tuple(range(values.shape[1])):
        return values
    absent = values.new_zeros(values[:, 0].shape)
    return torch.stack([absent if band is None else values[:, band] for band in route.channels], 1)


def _plausible(images: Tensor, low: float, high: float, source: Sensor) -> bool:
    looks_like_fractions = images.dtype.is_floating_point and 0 < high <= _FRACTION
    return source.valid[0] <= low and high <= source.valid[1] and not looks_like_fractions


def _per_fraction(source: Sensor) -> float:
    return 10_000.0 if source.path == "multispectral" or "reflectance" in source.unit else source.white


def build_student(
    backbone: str,
    trained_paths: Sequence[str] | None = None,
    *,
    stochastic_depth: float | None = None,
    maskable: bool = False,
    seed: int | None = None,
) -> Student:
    """A student with random weights.

    backbone: a name of TRUNKS. trained_paths: the stems that training will reach; None means all.
    stochastic_depth: None takes the backbone's. seed: of the weights, without touching the global generator; None draws
    them from that one.
    """
    if backbone not in TRUNKS:
        raise BrewError(f"backbone {backbone!r} is unknown; {nearest(backbone, tuple(TRUNKS))}")
    entry = TRUNKS[backbone]
    depth = entry.stochastic_depth if stochastic_depth is None else stochastic_depth
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return Student(entry.build(depth), backbone, trained_paths=trained_paths, maskable=maskable)


def save_student(path: Path | str, student: Student, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a file that `load_student` reads; the same student gives the same bytes. Never leaves a partial file.

    metadata: provenance (arm, seed, commit ...): strings, numbers, lists, dictionaries.
    """
    path = Path(path)
    content = {
        "format": _FORMAT,
        "backbone": student.backbone,
        "stochastic_depth": student.trunk.stochastic_depth,
        "trained_paths": list(student.trained_paths),
        "maskable": student.mask_token is not None,
        "state": {name: value.detach().cpu().contiguous() for name, value in student.state_dict().items()},
        "provenance": dict(student.provenance if metadata is None else metadata),
    }
    buffer = io.BytesIO()  # torch.save to a path would write that path's name into the archive
    torch.save(content, buffer)
    partial = path.with_name(f".partial-{path.name}")
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, path)


def load_student(path: Path | str) -> Student:
    """A student in evaluation mode from brew's own file or from one of the authors' checkpoints, told apart by content.

    Raises BrewError for a file that is absent, truncated, of another kind, or does not fit its architecture exactly.
    """
    from brew.models.released import is_released, read_released

    path = Path(path)
    content = _read(path)
    if isinstance(content, dict) and content.get("format") == _FORMAT:
        return _from_own(content, path)
    if is_released(content):
        return read_released(content, path.name)
    found = f"keys {list(content)[:5]}" if isinstance(content, dict) else f"a {type(content).__name__}"
    raise BrewError(
        f"{path} holds {found}; expected a student of brew (format {_FORMAT!r}) or a released DEO checkpoint (entries "
        "such as 'features.0.0.norm1.weight' or 'blocks.0.norm1.weight'); check which file this is"
    )


def _read(path: Path) -> Any:
    import argparse
    import pickle

    if not path.is_file():
        raise BrewError(f"{path} is no file; expected a student's weights; check the path or download it again")
    try:
        # The authors' training files carry their command's arguments, a plain namespace of values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise BrewError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read as weights: {str(error).splitlines()[0]}; expected "
            "a complete file written by torch.save that holds only tensors and plain values; it is probably truncated "
            "or damaged: download or copy it again and compare its size"
        ) from error


def _from_own(content: Mapping[str, Any], path: Path) -> Student:
    student = build_student(
        content["backbone"],
        content["trained_paths"],
        stochastic_depth=content["stochastic_depth"],
        maskable=content["maskable"],
    )
    load_exactly(student, content["state"], str(path))
    student.provenance = dict(content["provenance"])
    return student.eval()


def misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Entries of a state dictionary that are missing, unknown or of another shape, in words."""
    return [
        *(f"{name} is missing" for name in expected if name not in found),
        *(f"{name} is unknown" for name in found if name not in expected),
        *(
            f"{name} has shape {tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in expected
            if name in found and found[name].shape != expected[name].shape
        ),
    ]


def load_exactly(student: Student, state: Mapping[str, Tensor], origin: str) -> None:
    """Fill `student` with `state`, every entry of both being used; BrewError names the first that do not fit."""
    wrong = misfit(student.state_dict(), state)
    if wrong:
        raise BrewError(
            f"{origin} does not fit {student.backbone!r}: {'; '.join(wrong[:3])} ({len(wrong)} misfits in all); "
            "expected exactly that backbone's entries; name the file's own backbone, or write the file again"
        )
    student.load_state_dict(dict(state))
