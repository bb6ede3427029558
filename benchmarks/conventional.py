"""The conventional way to feed DEO: an HDF5 file, torchvision's transforms sample by sample, workers of a DataLoader.

What most code for pretraining on satellite images does, the authors' included, written plainly to measure against and
to check brew's views with. The recipe is that of `ViewSettings`; every transform takes its parameters from
torchvision's own draws or from brew's. Left out: high-resolution optical images, views without optical augmentation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from jaxtyping import Float, UInt16
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, v2

from brew.errors import BrewError
from brew.sensors import SENSORS
from brew.views import ViewParameters, ViewSettings

_GLOBALS = 2
_MULTISPECTRAL = SENSORS["sentinel2"]
_IMAGES = "images"


@dataclass(frozen=True)
class Parameters:
    """What happens to one sample in one view, as torchvision's transforms take it; None where a change is left out."""

    crop: dict[str, Any]
    flip: bool
    jitter: dict[str, Any] | None
    grey: bool
    blur: dict[str, Any] | None
    solarise: bool


class PerSampleView:
    """View `index` of a sample by torchvision's transforms, which follow the order of `brew.views.optical.augment`."""

    def __init__(self, settings: ViewSettings, index: int):
        is_global = index < _GLOBALS
        size = settings.global_size if is_global else settings.local_size
        area = settings.global_area if is_global else settings.local_area
        brightness, contrast, saturation, hue = settings.jitter
        self.crop = v2.RandomResizedCrop(size, area, interpolation=InterpolationMode.BICUBIC, antialias=True)
        self.jitter = v2.ColorJitter(brightness, contrast, saturation, hue)
        self.blur = v2.GaussianBlur(settings.blur_kernel, settings.blur_sigma)
        self.normalise = v2.Normalize(_MULTISPECTRAL.mean, _MULTISPECTRAL.std)
        self.threshold = settings.solarise_threshold
        self.jitter_probability, self.grey_probability = settings.jitter_probability, settings.grey_probability
        self.blur_probability = settings.blur_probability[min(index, _GLOBALS)]
        self.solarise_probability = settings.solarise_probability if index == 1 else 0.0

    def draw(self, image: Float[Tensor, "channel y x"]) -> Parameters:
        """Parameters from torch's generator."""

        def happens(probability: float) -> bool:
            return torch.rand(()).item() < probability

        return Parameters(
            crop=self.crop.make_params([image]),
            flip=happens(0.5),
            jitter=self.jitter.make_params([image]) if happens(self.jitter_probability) else None,
            grey=happens(self.grey_probability),
            blur=self.blur.make_params([image]) if happens(self.blur_probability) else None,
            solarise=happens(self.solarise_probability),
        )

    def apply(
        self, image: Float[Tensor, "channel y x"], parameters: Parameters
    ) -> tuple[Float[Tensor, "channel size size"], Float[Tensor, "3 size size"]]:
        """The normalised view of an image in digital numbers, and its optical bands with white at 1."""
        bands = self.crop.transform(image, parameters.crop)
        if parameters.flip:
            bands = v2.functional.horizontal_flip(bands)
        optical = self._augmented(bands[:3] / _MULTISPECTRAL.white, parameters)
        bands = self.normalise(torch.cat([optical * _MULTISPECTRAL.white, bands[3:]]))
        return bands, optical

    def _augmented(self, optical: Float[Tensor, "3 y x"], parameters: Parameters) -> Float[Tensor, "3 y x"]:
        if parameters.jitter is not None or parameters.solarise:
            optical = optical.clamp(0, 1)  # what these two are defined on
        if parameters.jitter is not None:
            optical = self.jitter.transform(optical, parameters.jitter)
        if parameters.grey:
            optical = v2.functional.rgb_to_grayscale(optical, 3)
        if parameters.blur is not None:
            optical = self.blur.transform(optical, parameters.blur)
        return v2.functional.solarize(optical, self.threshold) if parameters.solarise else optical


class PerSampleViews:
    """All views of one sample, global ones first, in lists that `default_collate` stacks view by view."""

    def __init__(self, settings: ViewSettings):
        self.views = [PerSampleView(settings, index) for index in range(_GLOBALS + settings.locals)]

    def __call__(
        self, image: Float[Tensor, "channel y x"], parameters: Sequence[Parameters] | None = None
    ) -> dict[str, list[Tensor]]:
        """multispectral: normalised; its first three bands are the optical view. display: of global views, in [0, 1].

        parameters: of each view; drawn where None.
        """
        chosen = parameters or [view.draw(image) for view in self.views]
        made = [view.apply(image, each) for view, each in zip(self.views, chosen, strict=True)]
        display = [optical.clamp(0, 1) for _, optical in made[:_GLOBALS]]
        return {"multispectral": [bands for bands, _ in made], "display": display}


def parameters_of(views: Sequence[ViewParameters], row: int) -> list[Parameters]:
    """What brew drew for each view of one sample of a batch."""
    return [_parameters_of(view, row) for view in views]


def _parameters_of(view: ViewParameters, row: int) -> Parameters:
    geometry, colour = view.geometry, view.colour
    if colour is None:
        raise BrewError(f"{view.name} has no colour parameters; expected views with optical augmentation")
    names = ("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")
    jitter = {"fn_idx": colour.order[row].tolist(), **dict(zip(names, colour.factors[row].tolist(), strict=True))}
    sigma = colour.sigma[row].item()
    return Parameters(
        crop={side: getattr(geometry, side)[row].item() for side in ("top", "left", "height", "width")},
        flip=bool(geometry.flip[row]),
        jitter=jitter if colour.jitter[row] else None,
        grey=bool(colour.grey[row]),
        blur={"sigma": [sigma, sigma]} if sigma > 0 else None,
        solarise=bool(colour.solarise[row]),
    )


def write_hdf5(path: Path, images: UInt16[np.ndarray, "sample channel y x"], compression: str | None = None) -> None:
    """One data set with a chunk per sample. compression: h5py's name, such as "gzip" (of level 4)."""
    with h5py.File(path, "w") as file:
        file.create_dataset(_IMAGES, data=images, chunks=(1, *images.shape[1:]), compression=compression)


class HDF5Samples(Dataset):
    """Samples of a file that `write_hdf5` wrote, each through `transform`.

    Opened by the first read, so that every worker has a handle of its own: HDF5's does not survive a fork.
    """

    def __init__(self, path: Path, transform: Callable[[Tensor], Any]):
        self.path, self.transform = path, transform
        self._images: h5py.Dataset | None = None
        with h5py.File(path) as file:
            self._length = len(file[_IMAGES])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        if self._images is None:
            self._images = h5py.File(self.path)[_IMAGES]
        return self.transform(torch.from_numpy(self._images[index]))


def loader(path: Path, settings: ViewSettings, batch: int, workers: int) -> DataLoader:
    """Shuffled batches of views, made by `workers` processes that stay from epoch to epoch."""
    views = PerSampleViews(settings)
    samples = HDF5Samples(path, lambda image: views(image.float()))
    return DataLoader(samples, batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0)
