"""SSL4EO-S12 v1.1: 246,144 places in four seasons, Sentinel-2 L1C, as a store for pretraining.

A published file is a ZIP of a Zarr group (format 2) with 64 places. Its L1C digital numbers hold the +1000 of
processing baseline 04.00, of older dates too: cirrus, B10, has a mean of 1022 where fMoW's has 15. The offset is taken
off here. The authors' later release has taken it off too: B10 shows it, and such a file is refused.

The seasons are the store's dates: training draws one per sample. There is no finer optical image: the optical stem sees
B4 B3 B2. Left out: L2A, whose numbers are another quantity, and radar.
Source: Blumenstiel et al. 2025 (arXiv 2503.00168), DLR-MF-DAS/SSL4EO-S12-v1.1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from zarr.storage import ZipStore

from brew.data.fetch import Remote, fetch
from brew.data.labelled import reading
from brew.data.problems import Problem
from brew.data.rasters import check_digital_numbers, content_hash
from brew.data.sources.source import Wanted
from brew.data.store import IMAGES, Variable, check_store_fits, write_store
from brew.errors import BrewError, unknown
from brew.sensors import SENSORS

if TYPE_CHECKING:
    from brew.data.sources.building_parts import Content, Part, Run

LICENCE = "CC BY 4.0"
FOLDER = "ssl4eo-s12-v1.1"
OBTAIN = "run `make data BENCHMARK=ssl4eo COUNT=...`, or https://datapub.fz-juelich.de/ssl4eo-s12"
HOST = "https://datapub.fz-juelich.de/ssl4eo-s12"
#: Files of each published split, and what it is in a store.
FILES = {"train": 3812, "val": 34}
SPLITS = {"train": "pretrain", "val": "validation"}
PLACES = 64
#: Of the arrays before compression: 64 x 4 x 13 x 264 x 264 numbers of two bytes a file.
SIZES = {"S2L1C, 3,846 files of 64 places, before compression": 3846 * 464 * 10**6}
_BANDS = SENSORS["sentinel2"].band_names
_FORMAT = "ssl4eo-part/1"
_SEASONS, SIDE, _OFFSET = 4, 264, 1000
#: B10 of a file with the offset lies above this in the median, of one without below: its mean is 1022 and 22.
_CIRRUS = 500


@dataclass(frozen=True)
class Ssl4eoSettings:
    """files: of each published split, the first ones by number. size: pixels per side, cut from the middle.

    failures: places that may fail and are then left out.
    """

    train: int = 1
    val: int = 0
    size: int = SIDE
    failures: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.train <= FILES["train"] and 0 <= self.val <= FILES["val"] and self.train + self.val):
            raise BrewError(f"{self.train} and {self.val} files; expected 1 at least, and up to {FILES}. Correct them")
        if not 1 <= self.size <= SIDE or self.failures < 0:
            raise BrewError(f"size {self.size}, failures {self.failures}; expected 1 to {SIDE}, and 0 or more")


def file_name(split: str, number: int) -> str:
    """Of a file of L1C images, below the folder."""
    return f"{split}/S2L1C/ssl4eos12_{split}_seasonal_data_{number:06d}.zarr.zip"


def names(settings: Ssl4eoSettings) -> list[str]:
    """The files that the settings choose, in the order of the store."""
    return [file_name(split, number + 1) for split in FILES for number in range(getattr(settings, split))]


def fetch_files(folder: Path, wanted: Wanted) -> None:
    """Bring as many files of each wanted split as hold so many places."""
    if not wanted.count:
        raise BrewError(
            "all of SSL4EO-S12 is asked for, about a terabyte; expected a number of places. Say COUNT=640 for ten files"
        )
    if wanted.categories:
        raise BrewError(f"categories {', '.join(wanted.categories)}; SSL4EO-S12 has none. Leave them out")
    for split in wanted.splits or ("train",):
        if split not in FILES:
            raise unknown("split", split, FILES)
        files = min(FILES[split], -(-wanted.count // PLACES))
        chosen = [file_name(split, number + 1) for number in range(files)]
        fetch([Remote(name, f"{HOST}/{name}", packed=True) for name in chosen], folder, OBTAIN)


def build(
    root: Path, path: Path, settings: Ssl4eoSettings, workers: int | None = None, cluster: str | None = None
) -> None:
    """The store of the chosen files; arguments and errors as in `brew.data.sources.building_parts.build`."""
    from brew.data.sources import building_parts  # Dask takes a second, and nobody else waits for it

    chosen = names(settings)
    check_store_fits(path, len(chosen) * PLACES, _variables(settings.size))
    here = len(chosen) <= 2 and workers is None and cluster is None
    building_parts.build(path, Ssl4eoPlan(root.absolute(), settings), workers, cluster, here=here)


def _variables(size: int) -> dict[str, Variable]:
    texts = {name: Variable(("sample",), (), "text") for name in ("split", "origin")}
    return texts | {
        "multispectral": Variable(IMAGES["multispectral"][1], (_SEASONS, len(_BANDS), size, size), "uint16"),
        "hash": Variable(("sample", "time"), (_SEASONS,), "text"),
        "date": Variable(("sample", "time"), (_SEASONS,), "int64"),
        "latitude": Variable(("sample",), (), "float64"),
        "longitude": Variable(("sample",), (), "float64"),
        "crs": Variable(("sample",), (), "int32"),
    }


@dataclass(frozen=True)
class Ssl4eoPlan:
    """Published files, one part each."""

    root: Path
    settings: Ssl4eoSettings

    noun = "place"

    @property
    def shared(self) -> Sequence[Path]:
        return (self.root,)

    def items(self, run: "Run") -> tuple[Sequence[str], list[Problem]]:
        return names(self.settings), []

    def samples(self, items: Sequence[str]) -> int:
        return PLACES * len(items)

    def name(self, item: str) -> str:
        return item

    def place(self, item: str) -> Path:
        return self.root / item

    def made_from(self, item: str) -> dict[str, Any]:
        from brew.data.sources.building_parts import seen

        return {"format": _FORMAT, "size": self.settings.size, "file": seen(self.root / item)}

    def read(self, item: str) -> "Content":
        from brew.data.sources.building_parts import Content

        file = self.root / item
        if not file.is_file():
            why = f"{file} does not exist; expected {PLACES} places. Obtain it: {OBTAIN}"
            return Content(problems=[Problem(item, str(file), "", why)])
        try:
            return _content(file, item, self.settings.size)
        except BrewError as error:
            return Content(problems=[Problem(item, str(file), "", str(error))])

    def bears(self, problems: Sequence[Problem]) -> bool:
        """So many places may fail as the settings say, all of a file that cannot be opened."""
        failed = {problem.scene for problem in problems}
        return sum(PLACES if name in names(self.settings) else 1 for name in failed) <= self.settings.failures

    def write(self, path: Path, parts: "Sequence[Part]", problems: Sequence[Problem]) -> None:
        left_out = sorted({problem.scene for problem in problems})
        samples = sum(len(part.record()["texts"]["origin"]) for part in parts)
        if not samples:
            raise BrewError("all files failed; expected some places. Look at the list of problems")
        attributes = {"source": "SSL4EO-S12 v1.1", "licence": LICENCE, **asdict(self.settings), "left_out": left_out}
        write_store(path, samples, _variables(self.settings.size), _blocks(parts), attributes)


def _blocks(parts: "Sequence[Part]") -> Iterator[dict[str, np.ndarray]]:
    for part in parts:
        texts = part.record()["texts"]
        yield part.arrays() | {name: np.array(values, dtype=object) for name, values in texts.items()}


def _content(file: Path, name: str, size: int) -> "Content":
    """The sound places of a file; BrewError if the file is damaged or has another form. Memory holds a season."""
    from brew.data.sources.building_parts import Content

    split, problems = name.partition("/")[0], dict[int, Problem]()
    with reading(file), ZipStore(file, mode="r") as store:
        dataset = xr.open_zarr(store, zarr_format=2, consolidated=False, chunks=None)
        order, places = _checked(dataset), [str(place) for place in dataset["sample"].values]
        images = np.zeros((len(places), _SEASONS, len(_BANDS), size, size), np.uint16)
        for season in range(_SEASONS):  # each is one chunk of the file
            stored = dataset["bands"][:, season].values
            for index, place in enumerate(places):
                try:
                    images[index, season] = numbers(stored[index][order], size, file)
                except BrewError as error:
                    why = f"place {place}, season {season}: {error}"
                    problems.setdefault(index, Problem(f"{split}/{place}", str(file), "", why))
        kept = [index for index in range(len(places)) if index not in problems]
        if not kept:
            return Content(problems=list(problems.values()))
        images = images[kept]
        arrays = {
            "multispectral": images,
            "date": dataset["time_"].values[kept].astype("datetime64[s]").astype(np.int64),
            "latitude": dataset["center_lat"].values[kept].astype(np.float64),
            "longitude": dataset["center_lon"].values[kept].astype(np.float64),
            "crs": dataset["crs"].values[kept].astype(np.int32),
        }
    texts = {
        "split": [SPLITS[split]] * len(kept),
        "origin": [f"{split}/{places[index]}" for index in kept],
        "hash": [[content_hash(date) for date in image] for image in images],
    }
    return Content(arrays, {"texts": texts}, list(problems.values()))


def _checked(dataset: xr.Dataset) -> list[int]:
    """Places of brew's bands and of B10 in a file that has the form of v1.1, which calls B4 "B04"."""
    expected = ("bands", "band", "sample", "time_", "center_lat", "center_lon", "crs")
    missing = [each for each in expected if each not in dataset.variables]
    if missing:
        raise BrewError(f"no array {', '.join(missing)}; expected a file of SSL4EO-S12 v1.1. Obtain it again")
    stored = [str(band) for band in dataset["band"].values]
    wanted = [band if len(band) == 3 else f"B0{band[1:]}" for band in (*_BANDS, "B10")]
    absent = [band for band in wanted if band not in stored]
    bands = dataset["bands"]
    if absent or bands.dtype != np.int16 or bands.shape[1:] != (_SEASONS, len(stored), SIDE, SIDE):
        raise BrewError(
            f"bands {', '.join(stored)} of {bands.shape} of {bands.dtype}; expected four seasons of the 13 bands of "
            f"L1C with {SIDE} pixels per side. Obtain S2L1C's file"
        )
    return [stored.index(band) for band in wanted]


def numbers(stored: np.ndarray, size: int, file: Path) -> np.ndarray:
    """(band, y, x) digital numbers without the offset, cut from the middle of one date.

    stored: brew's bands, then B10. Raises BrewError if the offset is not there, or a band is mostly empty.
    """
    cirrus = float(np.median(stored[-1]))
    if cirrus < _CIRRUS:
        raise BrewError(
            f"{file}: B10 is {cirrus:g} in the median, so the offset of {_OFFSET} is taken off already; expected it in "
            f"files of v1.1. Obtain them from {HOST}"
        )
    margin = (SIDE - size) // 2
    window = slice(margin, margin + size)
    cut = stored[:-1, window, window].astype(np.int32)
    # 0 is a pixel without a value; what is darker than the offset stays distinct from it.
    found = np.where(cut == 0, 0, (cut - _OFFSET).clip(1)).astype(np.uint16)
    for band, layer in zip(_BANDS, found, strict=True):
        check_digital_numbers(layer, file, band)
    return found
