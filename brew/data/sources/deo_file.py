"""The HDF5 file that DEO's released code trains on, as a store.

The file has one array `images` (image, plane, y, x) of thirteen planes or more, and nothing else. There are no names
of planes, no dates, no ids, and no flag that tells which images are merged with an aerial one. The script that made the
authors' file is not public, and their two readers take the optical planes in opposite orders. So whoever has such a
file states the order of its planes and whether its optical planes are aerial ones; nothing is guessed.

If they are aerial, the planes red, green and blue become `optical`, of the same size. The file then lacks B4, B3, B2.
`multispectral` holds the optical planes there, as shares of Sentinel-2's white, and the views replace them anyway.
Source: DEO-FM's `utils/datasets.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brew.data.labelled import reading
from brew.data.rasters import check_digital_numbers, content_hash
from brew.data.store import IMAGES, Variable, write_store
from brew.errors import BrewError, nearest
from brew.sensors import SENSORS, SENTINEL2_BANDS

#: Planes of an aerial image, and the band that each stands for.
_AERIAL = {"red": "B4", "green": "B3", "blue": "B2"}
_SENTINEL2, _NATIVE, _RGB = SENSORS["sentinel2"], SENSORS["sentinel2-rgb"], SENSORS["rgb"]
_LEAST = 13
#: Images that are read at a time.
_BLOCK = 32


@dataclass(frozen=True)
class DeoFileSettings:
    """file: the HDF5 file. licence: of the images, kept in the store.

    order: what each plane is, in the file's order: names of Sentinel-2's bands, "red", "green", "blue", or "" for a
    plane that is left out. high_resolution: whether the optical planes are aerial; it applies to all images.
    white: the value of the aerial planes that is full brightness, 1 or 255.
    """

    file: Path
    licence: str
    order: tuple[str, ...] = ()
    high_resolution: bool | None = None
    white: float = 1.0

    def needed(self) -> list[int]:
        """Places of the ten planes, in the order of ``SENSORS["sentinel2"]``; BrewError if they are not stated."""
        if not self.order or self.high_resolution is None:
            raise BrewError(
                f"{self.file}: `order` or `high_resolution` is not set; expected both. The file holds neither names of "
                "planes nor a flag, and published scripts order red and blue both ways, so they cannot be guessed: "
                "state what each plane is, and whether the optical ones are aerial"
            )
        known = (*SENTINEL2_BANDS, *_AERIAL, "")
        if strange := [name for name in self.order if name not in known]:
            raise BrewError(f"order: plane {strange[0]!r} is unknown; {nearest(strange[0], known)}")
        aerial = {band: name for name, band in _AERIAL.items()} if self.high_resolution else {}
        names = [aerial.get(band, band) for band in _SENTINEL2.band_names]
        if wrong := [name for name in names if self.order.count(name) != 1]:
            raise BrewError(
                f"order names {', '.join(wrong)} not once; expected each of {', '.join(names)} once, as "
                f"high_resolution is {self.high_resolution}. Correct it"
            )
        return [self.order.index(name) for name in names]


def build(path: Path, settings: DeoFileSettings) -> None:
    """The store of all images; BrewError if the file is none of DEO's, or its numbers are not what is stated."""
    planes = settings.needed()
    if not settings.licence.strip():
        raise BrewError("the licence is empty; expected that of the images, which the store keeps. Name it")
    file = Path(settings.file)
    if not file.is_file():
        raise BrewError(f"{file} does not exist; expected DEO's HDF5 file. Check `file`")
    with reading(file), h5py.File(file) as opened:
        images = _images(opened, settings)
        variables = _variables(images.shape[2:], settings)
        kept = {name: value for name, value in asdict(settings).items() if name not in ("file", "licence")}
        attributes = {"source": f"DEO's file {file.name}", "licence": settings.licence, **kept}
        blocks = _blocks(images, planes, settings)
        write_store(path, len(images), variables, blocks, attributes | {"order": list(settings.order)})


def _images(opened: h5py.File, settings: DeoFileSettings) -> h5py.Dataset:
    images = opened.get("images")
    if not isinstance(images, h5py.Dataset):
        raise BrewError(f"no array `images`, but {', '.join(opened) or 'nothing'}; expected DEO's file")
    if images.ndim != 4 or images.shape[1] < _LEAST or images.shape[1] != len(settings.order) or not len(images):
        raise BrewError(
            f"images of {images.shape}; expected (images, planes, y, x) of the {len(settings.order)} planes that "
            f"`order` names, {_LEAST} at least. Correct `order`"
        )
    return images


def _variables(shape: Sequence[int], settings: DeoFileSettings) -> dict[str, Variable]:
    texts = {name: Variable(("sample",), (), "text") for name in ("split", "origin", "hash")}
    images = {"multispectral": Variable(IMAGES["multispectral"][1], (1, len(_SENTINEL2), *shape), "uint16")}
    if settings.high_resolution:
        images["optical"] = Variable(IMAGES["optical"][1], (1, 3, *shape), "uint8")
    return images | texts


def _blocks(images: h5py.Dataset, planes: list[int], settings: DeoFileSettings) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(images), _BLOCK):
        stored = images[start : start + _BLOCK][:, planes]
        block: dict[str, Any] = {"multispectral": np.empty((len(stored), 1, *stored.shape[1:]), np.uint16)}
        if settings.high_resolution:
            block["optical"] = np.empty((len(stored), 1, 3, *stored.shape[2:]), np.uint8)
        hashes = []
        for index, image in enumerate(stored):
            where = Path(f"{settings.file}: images[{start + index}]")
            if settings.high_resolution:
                shares = _shares(image[:3], settings.white, where)
                block["optical"][index, 0] = np.rint(shares * _RGB.white)
                image = np.concatenate([shares * _NATIVE.white, image[3:]])
            block["multispectral"][index, 0] = _digital_numbers(image, where)
            hashes.append(content_hash(*(block[name][index] for name in block)))
        names = [f"images[{start + index}]" for index in range(len(stored))]
        texts = {"split": ["pretrain"] * len(stored), "origin": names, "hash": hashes}
        yield block | {name: np.array(values, dtype=object) for name, values in texts.items()}


def _shares(planes: np.ndarray, white: float, where: Path) -> np.ndarray:
    """Aerial planes as shares of white."""
    shares = planes.astype(np.float64) / white
    if not np.isfinite(shares).all() or shares.min() < 0 or shares.max() > 1.001:
        raise BrewError(
            f"{where}: optical planes from {planes.min():g} to {planes.max():g}; expected 0 to {white:g}. Correct "
            "`white`, `order` or `high_resolution`"
        )
    if shares.max() < 2 / 255:
        raise BrewError(f"{where}: optical planes up to {planes.max():g} are black; expected an image. Correct `white`")
    return shares.clip(0, 1)


def _digital_numbers(image: np.ndarray, where: Path) -> np.ndarray:
    numbers = np.rint(image)
    if not np.isfinite(numbers).all() or numbers.min() < 0 or numbers.max() > _SENTINEL2.valid[1]:
        raise BrewError(f"{where}: values {image.min()} to {image.max()}; expected digital numbers, 0 to 65534")
    found: np.ndarray = numbers.astype(np.uint16)
    for band, layer in zip(_SENTINEL2.band_names, found, strict=True):
        check_digital_numbers(layer, where, band)
    return found
