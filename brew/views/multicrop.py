"""Two global and several local views of every sample, of a whole batch at once, on the device that holds the batch.

Source: DEO (arXiv 2602.19863, section 3 and supplement), whose views follow DINO's. Geometry is shared by all bands of
a view; optical augmentation acts on the three optical bands alone. Views depend on (seed, epoch, sample, view) and on
nothing else, so neither the composition of the batch nor a restart changes them.
Images of further sensors (radar) follow the same geometry on their own grid. Left out: masks (`brew.views.masks`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Int64, Num
from torch import Tensor

from brew.errors import BrewError, nearest
from brew.sensors import PATHS, SENSORS, Sensor, sensor_of
from brew.views.geometry import Geometry, crop_and_resize, draw_geometry, is_dense, rows_first
from brew.views.optical import Colour, augment, concatenate, draw_colour
from brew.views.side_by_side import side_by_side

_MULTISPECTRAL, _NATIVE, _OPTICAL = SENSORS["sentinel2"], SENSORS["sentinel2-rgb"], SENSORS["rgb"]
_HIGH_RESOLUTION = ("both", "optical", "none")
_GLOBALS = 2
#: Samples with large views that are made together on the CPU: fewer cost calls, more leave the cache.
_TOGETHER = 8


@dataclass(frozen=True)
class ViewSettings:
    """Sizes in pixels of the multispectral view, areas as fractions of the image; defaults are the paper's.

    optical_scale: optical views have this many times the pixels per side, so that fine texture survives the crop.
    optical_augmentation: False leaves colours as they are.
    jitter: largest change of brightness, contrast, saturation, hue. blur_kernel: in pixels of the optical view, odd.
    blur_probability: of the first global, second global and local views. solarise_probability: second global view.
    high_resolution: where a sample's high-resolution optical image goes: to ``"both"`` stems (it replaces B4 B3 B2 of
        the multispectral one, as in the released code), to the ``"optical"`` stem only, or ``"none"``.
    mask_patch: pixels per side of what a masked student does not see at once. mask_ratio: share of them; SimMIM's.
    """

    global_size: int = 224
    local_size: int = 96
    locals: int = 10
    global_area: tuple[float, float] = (0.4, 1.0)
    local_area: tuple[float, float] = (0.05, 0.4)
    optical_scale: int = 1
    optical_augmentation: bool = True
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.2, 0.1)
    jitter_probability: float = 0.8
    grey_probability: float = 0.2
    blur_kernel: int = 23
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    blur_probability: tuple[float, float, float] = (1.0, 0.1, 0.5)
    solarise_probability: float = 0.2
    solarise_threshold: float = 0.5
    high_resolution: str = "both"
    mask_patch: int = 32
    mask_ratio: float = 0.6

    def __post_init__(self) -> None:
        if self.high_resolution not in _HIGH_RESOLUTION:
            message = f"high_resolution {self.high_resolution!r} is unknown; "
            raise BrewError(message + nearest(self.high_resolution, _HIGH_RESOLUTION))
        if min(self.global_size, self.local_size, self.optical_scale) < 1 or self.locals < 0:
            raise BrewError(f"{self} has a size, scale or number of views that is too small; expected whole pixels")
        if not (0 < self.mask_ratio < 1 and self.mask_patch >= 1):
            raise BrewError(
                f"mask_ratio {self.mask_ratio}, mask_patch {self.mask_patch}; expected a share between 0 and 1 of "
                "squares of whole pixels"
            )
        for low, high in (self.global_area, self.local_area):
            if not 0 < low <= high <= 1:
                raise BrewError(f"area ({low}, {high}) of a view; expected fractions of the image, smaller one first")
        sizes = (self.global_size, self.local_size) if self.locals else (self.global_size,)
        largest = 2 * self.optical_scale * min(sizes) - 1
        if self.optical_augmentation and not (self.blur_kernel % 2 and 0 < self.blur_kernel <= largest):
            raise BrewError(
                f"blur_kernel {self.blur_kernel}; expected an odd number up to {largest}, twice the smallest optical "
                "view less one (borders are reflected). The paper's is 23 for views of 224 and 96 px"
            )


@dataclass(frozen=True)
class ViewParameters:
    """What one view does to each sample, held on the host. geometry: on the coarsest image's grid."""

    name: str
    is_global: bool
    geometry: Geometry
    colour: Colour | None

    def of(self, rows: slice) -> "ViewParameters":
        """What it does to those rows of the batch."""
        return replace(self, geometry=self.geometry.of(rows), colour=self.colour and self.colour.of(rows))


@dataclass(frozen=True)
class View:
    """One view of every sample of a batch; K is the settings' optical_scale.

    Samples from a source without multispectral images are in the optical tensors alone.

    multispectral: normalised as "sentinel2" (replaced bands as "rgb"); None for optical-only batches.
    optical: normalised for the student's optical stem, as "rgb" or "sentinel2-rgb", by sample.
    display: what a frozen optical teacher normalises itself, in [0, 1]; global views only.
    others: per stem of a further sensor, the samples that have an image of it, normalised as that sensor.
    """

    name: str
    is_global: bool
    multispectral: Float32[Tensor, "batch channel y x"] | None
    optical: Float32[Tensor, "optical_batch 3 optical_y optical_x"]
    display: Float32[Tensor, "optical_batch 3 optical_y optical_x"] | None
    others: Mapping[str, Tensor] = field(default_factory=dict)


def make_views(
    multispectral: Num[Tensor, "batch channel y x"] | None,
    optical: Num[Tensor, "batch 3 optical_y optical_x"] | None,
    has_optical: Bool[Tensor, " batch"] | None,
    *,
    samples: Int64[Tensor, " batch"],
    seed: int,
    epoch: int,
    settings: ViewSettings,
    others: Mapping[str, Num[Tensor, "batch _channel _y _x"]] | None = None,
) -> list[View]:
    """The global views, then the local ones, of a batch in native units.

    multispectral: Sentinel-2 digital numbers, bands as in ``SENSORS["sentinel2"]``; None for optical-only batches.
    optical: 8-bit brightness on a grid that is a whole multiple of the multispectral one (or the reverse), same ground.
    has_optical: which samples have a high-resolution optical image; None: all, if there is `optical`. The others'
    optical bands are their own B4 B3 B2. samples: identifiers that key the draws.
    others: images of further sensors by stem, such as "sar", on the same ground; grids as above.
    Raises BrewError if the images do not fit together.
    """
    grid = _common_grid(multispectral, optical)
    parameters = draw_view_parameters(samples, grid, seed=seed, epoch=epoch, settings=settings)
    views = apply_views(multispectral, optical, has_optical, parameters, settings)
    if not others:
        return views
    prepared = {path: _Other.prepare(path, images, grid) for path, images in others.items()}
    return [
        replace(view, others={path: other.view(drawn, settings) for path, other in prepared.items()})
        for view, drawn in zip(views, parameters, strict=True)
    ]


def draw_view_parameters(
    samples: Int64[Tensor, " batch"], grid: tuple[int, int], *, seed: int, epoch: int, settings: ViewSettings
) -> list[ViewParameters]:
    """The draws of every view for images whose coarsest grid has (y, x) pixels, on the host."""
    ids = samples.cpu()

    def draw(index: int) -> ViewParameters:
        is_global = index < _GLOBALS
        name = f"global{index}" if is_global else f"local{index - _GLOBALS}"
        area = settings.global_area if is_global else settings.local_area
        colour = draw_colour(
            seed,
            epoch,
            ids,
            name,
            strengths=settings.jitter,
            jitter=settings.jitter_probability,
            grey=settings.grey_probability,
            blur=settings.blur_probability[min(index, _GLOBALS)],
            sigma=settings.blur_sigma,
            solarise=settings.solarise_probability if index == 1 else 0.0,
        )
        geometry = draw_geometry(seed, epoch, ids, name, grid, area)
        return ViewParameters(name, is_global, geometry, colour if settings.optical_augmentation else None)

    return side_by_side(draw, range(_GLOBALS + settings.locals))


@torch.no_grad()
def apply_views(
    multispectral: Num[Tensor, "batch channel y x"] | None,
    optical: Num[Tensor, "batch 3 optical_y optical_x"] | None,
    has_optical: Bool[Tensor, " batch"] | None,
    parameters: list[ViewParameters],
    settings: ViewSettings,
) -> list[View]:
    """The views that `parameters` describe; arguments and errors as in `make_views`."""
    _common_grid(multispectral, optical)
    images = next(each for each in (multispectral, optical) if each is not None)
    # Views of one size are made together: a few large operations instead of many small ones.
    groups = [[view for view in parameters if view.is_global == is_global] for is_global in (True, False)]
    made = [_Made.empty(group, settings, multispectral is not None, images) for group in groups if group]

    @torch.no_grad()
    def make(rows: slice) -> None:
        with torch.autocast(images.device.type, enabled=False):
            bands, high, has_high = (
                None if each is None else each[rows] for each in (multispectral, optical, has_optical)
            )
            batch = _Batch.prepare(bands, high, has_high, settings.high_resolution)
            for views in made:
                part = views.of(rows)
                _make(part, batch, settings)
                if part is not views:
                    views.optical[:, rows] = part.optical

    largest = settings.global_size * settings.optical_scale
    if is_dense(images.device, largest, largest):
        make(slice(0, len(images)))
    else:  # a few samples at a time, so that what is read and made of them stays in the cache
        side_by_side(make, [slice(row, row + _TOGETHER) for row in range(0, len(images), _TOGETHER)])
    return [view for views in made for view in views.apart()]


@dataclass(frozen=True)
class _Made:
    """Views of one size of some samples, and the memory that they are made in.

    multispectral: None for optical-only batches. display: of global views.
    """

    parameters: list[ViewParameters]
    multispectral: Float32[Tensor, "view batch channel y x"] | None
    optical: Float32[Tensor, "view batch 3 optical_y optical_x"]
    display: Float32[Tensor, "view batch 3 optical_y optical_x"] | None

    @classmethod
    def empty(
        cls, parameters: list[ViewParameters], settings: ViewSettings, with_bands: bool, images: Tensor
    ) -> "_Made":
        """Memory for the views of as many samples as `images` has, on its device."""
        is_global = parameters[0].is_global

        def room(channels: int, scale: int) -> Tensor:
            size = scale * (settings.global_size if is_global else settings.local_size)
            return torch.empty(len(parameters), len(images), channels, size, size, device=images.device)

        return cls(
            parameters=parameters,
            multispectral=room(len(_MULTISPECTRAL), 1) if with_bands else None,
            optical=room(3, settings.optical_scale),
            display=room(3, settings.optical_scale) if is_global else None,
        )

    def of(self, rows: slice) -> "_Made":
        """The views of those rows of the batch, in the same memory but for the optical ones, which lie in one piece."""
        if rows == slice(0, self.optical.shape[1]):
            return self
        return _Made(
            [view.of(rows) for view in self.parameters],
            None if self.multispectral is None else self.multispectral[:, rows],
            torch.empty_like(self.optical[:, rows], memory_format=torch.contiguous_format),
            None if self.display is None else self.display[:, rows],
        )

    def apart(self) -> list[View]:
        return [
            View(
                name=view.name,
                is_global=view.is_global,
                multispectral=None if self.multispectral is None else self.multispectral[index],
                optical=self.optical[index],
                display=None if self.display is None else self.display[index],
            )
            for index, view in enumerate(self.parameters)
        ]


@dataclass(frozen=True)
class _Batch:
    """Images ready for `crop_and_resize`, with rows first.

    optical: of the `high` rows only, those whose high-resolution image is used. high: on the host; there: the same on
    the device. Factors: pixels of each image per pixel of the common grid.
    """

    multispectral: Float32[Tensor, "batch y channel x"] | None
    optical: Float32[Tensor, "high optical_y 3 optical_x"] | None
    high: Int64[Tensor, " high"]
    there: Int64[Tensor, " high"]
    multispectral_factor: int
    optical_factor: int
    size: int
    device: torch.device

    @classmethod
    def prepare(
        cls, multispectral: Tensor | None, optical: Tensor | None, has_optical: Tensor | None, high_resolution: str
    ) -> "_Batch":
        rows, _ = _common_grid(multispectral, optical)
        if has_optical is not None and optical is None and bool(has_optical.any()):
            raise BrewError("has_optical marks samples, but there is no optical image; expected both or neither")
        images = [image for image in (multispectral, optical) if image is not None]
        size, device = len(images[0]), images[0].device
        if multispectral is None and (high_resolution == "none" or (has_optical is not None and not has_optical.all())):
            raise BrewError(
                "the batch has samples without any image to use: no multispectral one, and the optical one is absent "
                f"or left out (high_resolution {high_resolution!r}); expected one of both for every sample"
            )
        if optical is None or high_resolution == "none":
            high = torch.empty(0, dtype=torch.int64)
        elif has_optical is None:
            high = torch.arange(size)
        else:
            high = has_optical.cpu().nonzero()[:, 0]
        there = high.to(device, non_blocking=True)
        some = optical if optical is None or len(high) == size else optical.index_select(0, there)
        return cls(
            multispectral=None if multispectral is None else rows_first(multispectral),
            optical=None if some is None or not len(high) else rows_first(some),
            high=high,
            there=there,
            multispectral_factor=1 if multispectral is None else multispectral.shape[-2] // rows,
            optical_factor=1 if optical is None else optical.shape[-2] // rows,
            size=size,
            device=device,
        )


def _common_grid(multispectral: Tensor | None, optical: Tensor | None) -> tuple[int, int]:
    """Rows and columns of the coarsest image. BrewError if bands or grids do not fit."""
    if multispectral is not None and multispectral.shape[1] != len(_MULTISPECTRAL):
        raise BrewError(
            f"{multispectral.shape[1]} multispectral bands; expected {len(_MULTISPECTRAL)}: "
            f"{' '.join(_MULTISPECTRAL.band_names)}. Select and order them by name"
        )
    grids = [tuple(image.shape[-2:]) for image in (multispectral, optical) if image is not None]
    if not grids:
        raise BrewError("neither a multispectral nor an optical image; expected at least one of them")
    coarse, fine = min(grids), max(grids)
    if any(large % small for large, small in zip(fine, coarse, strict=True)) or (
        fine[0] * coarse[1] != fine[1] * coarse[0]
    ):
        raise BrewError(
            f"grids of {coarse} and {fine} pixels; expected one to be a whole multiple of the other, the same along y "
            "and x. Resample the optical image when the store is built"
        )
    return coarse[0], coarse[1]


def _make(made: _Made, batch: _Batch, settings: ViewSettings) -> None:
    """Fill the memory of `made` with the views of `batch`."""
    group, bands, optical = made.parameters, made.multispectral, made.optical
    if bands is not None and batch.multispectral is not None:
        for view, room in zip(group, bands, strict=True):
            crop_and_resize(batch.multispectral, view.geometry.on_grid(batch.multispectral_factor), room)
    _resize_optical(batch, group, bands, optical)
    colours = [view.colour for view in group if view.colour is not None]
    own = None
    if colours:
        if settings.high_resolution == "optical" and bands is not None and batch.optical is not None:
            # The high-resolution image is for the optical stem only: the multispectral one sees the sample's own bands.
            own = _resize_native(batch, group, bands, torch.empty_like(optical))[:, batch.there]
            _augment(own, [colour.of(batch.high) for colour in colours], settings)
        _augment(optical, colours, settings)
    if made.display is not None:
        torch.clamp(optical, 0, 1, out=made.display)
    _normalise(optical, _optical_statistics(batch))
    if bands is not None:
        _normalise(bands, _statistics(_MULTISPECTRAL, 1.0, batch.device))
        if colours:
            bands[:, :, :3] = _on_grid_of(bands, optical)
        elif settings.high_resolution == "both" and batch.optical is not None:
            bands[:, batch.there, :3] = _on_grid_of(bands, optical[:, batch.there])
        if own is not None:
            _normalise(own, _statistics(_NATIVE, _NATIVE.white, batch.device))
            bands[:, batch.there, :3] = _on_grid_of(bands, own)


def _resize_optical(batch: _Batch, group: list[ViewParameters], bands: Tensor | None, out: Tensor) -> None:
    """`out`: (view, batch, 3, size, size) with white at 1: high-resolution images if used, else B4 B3 B2."""
    if len(batch.high) < batch.size:
        _resize_native(batch, group, bands, out)
    if batch.optical is not None:
        for view, room in zip(group, out, strict=True):
            geometry = view.geometry.of(batch.high).on_grid(batch.optical_factor)
            own = room if len(batch.high) == batch.size else room[batch.there]
            crop_and_resize(batch.optical, geometry, own).div_(_OPTICAL.white)
            if own is not room:
                room[batch.there] = own


def _resize_native(batch: _Batch, group: list[ViewParameters], bands: Tensor | None, out: Tensor) -> Tensor:
    """`out`: (view, batch, 3, size, size) with white at 1: B4 B3 B2 of every sample; `bands` if they have that size."""
    assert bands is not None and batch.multispectral is not None  # `_Batch.prepare` refuses samples without an image
    if bands.shape[-1] == out.shape[-1]:
        return torch.div(bands[:, :, :3], _NATIVE.white, out=out)
    for view, room in zip(group, out, strict=True):
        crop_and_resize(batch.multispectral[:, :, :3], view.geometry.on_grid(batch.multispectral_factor), room)
    return out.div_(_NATIVE.white)


def _augment(optical: Tensor, colours: list[Colour], settings: ViewSettings) -> None:
    """In place, on (view, batch, 3, y, x)."""
    augment(optical.flatten(0, 1), concatenate(colours), settings.blur_kernel, settings.solarise_threshold)


def _on_grid_of(bands: Tensor, optical: Tensor) -> Tensor:
    """Optical views (view, batch, 3, y, x) shrunk to the multispectral views' pixels, if they have more."""
    if optical.shape[-2:] == bands.shape[-2:]:
        return optical
    small = F.interpolate(optical.flatten(0, 1), size=bands.shape[-2:], mode="bicubic", antialias=True)
    return small.unflatten(0, optical.shape[:2])


@dataclass(frozen=True)
class _Other:
    """Images of a further sensor, rows first. factor: their pixels per pixel of the common grid."""

    images: Float32[Tensor, "batch y channel x"]
    factor: int
    sensor: Sensor

    @classmethod
    def prepare(cls, path: str, images: Tensor, grid: tuple[int, int]) -> "_Other":
        if path not in PATHS:
            raise BrewError(f"images for stem {path!r}; {nearest(path, tuple(PATHS))}")
        sensor, (rows, columns) = sensor_of(path), grid
        height, width = images.shape[-2:]
        if images.shape[1] != len(sensor) or height % rows or height * columns != width * rows:
            raise BrewError(
                f"{path} images of shape {tuple(images.shape)}; expected {len(sensor)} bands "
                f"({' '.join(sensor.band_names)}) on a whole multiple of the {rows} x {columns} grid of the others"
            )
        return cls(rows_first(images), height // rows, sensor)

    @torch.no_grad()
    def view(self, drawn: ViewParameters, settings: ViewSettings) -> Tensor:
        size = settings.global_size if drawn.is_global else settings.local_size
        with torch.autocast(self.images.device.type, enabled=False):
            resized = self.images.new_empty(len(self.images), len(self.sensor), size, size)
            crop_and_resize(self.images, drawn.geometry.on_grid(self.factor), resized)
            _normalise(resized, _statistics(self.sensor, 1.0, resized.device))
        return resized


def _statistics(sensor: Sensor, white: float, device: torch.device) -> Float32[Tensor, "2 channel"]:
    """Mean and standard deviation of each band, in units of `white`."""
    return torch.tensor([sensor.mean, sensor.std]).to(device, non_blocking=True) / white


def _optical_statistics(batch: _Batch) -> Float32[Tensor, "batch 2 3"]:
    """Of each sample by the sensor that its optical bands come from, white being 1."""
    statistics = _statistics(_NATIVE, _NATIVE.white, batch.device).repeat(batch.size, 1, 1)
    statistics[batch.there] = _statistics(_OPTICAL, _OPTICAL.white, batch.device)
    return statistics


def _normalise(images: Float32[Tensor, "... channel y x"], statistics: Float32[Tensor, "... 2 channel"]) -> None:
    """In place, by `_statistics` of all or of each sample."""
    mean, std = statistics[..., None, None].unbind(-4)
    images.sub_(mean).div_(std)
