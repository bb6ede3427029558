"""fMoW as a store, built by many processes or machines.

Rows of the CSV files are read in lots, each into a part (`brew.data.sources.building_parts`).
`multispectral` has `size` pixels per side and `optical` `zoom` times as many, on the same ground. Beside them stand:

- `category`, `location`, `image` (fMoW's number) and `pair` (exact or location);
- `date` and `optical_date`: seconds since 1970 in UTC;
- `place`: west, south, east, north of the square in degrees; `metres`: height and width of its ground;
- `original_size`, `optical_original_size`: rows and columns of the files; `optical_metres`: the JPEG's own pixel;
- `object_box`: x, y, width, height of the labelled object as shares of the square.

With several `dates`, `image`, `date` and `original_size` are of each date. The optical image is the pair of the image
that `origin` names. It has no date, and is read beside any of them.

    python -m brew build-fmow STORE [--policy centre] [--count 50000] [--workers N | --cluster tcp://HOST:8786]
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from brew.data.problems import Problem
from brew.data.sources.fmow.fmow_rows import (
    ADDED,
    CATEGORIES,
    SPLITS,
    choose,
    held_out,
    name_of,
    place_of,
    read_rows,
    seen_on,
    split_of,
    with_other_dates,
)
from brew.data.sources.fmow.fmow_samples import FmowSettings, candidates, multispectral_file, optical_file, read_sample
from brew.data.store import IMAGES, Variable, check_store_fits, write_store
from brew.errors import BrewError
from brew.files import real_data
from brew.sensors import sensor

if TYPE_CHECKING:
    from brew.data.sources.building_parts import Content, Part, Run

LICENCE = (
    "lists and labels: fMoW Challenge Public License; fMoW-Sentinel's pixels: Copernicus terms; fMoW-RGB's: fMoW "
    "Challenge Public License"
)
FOLDER = "fmow"
#: The lists, by which the source is known again: hashing a million images would take a day.
LISTS = tuple(f"{split}.csv" for split in SPLITS)
OBTAIN = "run `make data BENCHMARK=fmow`, or doi 10.25740/vg497cb6002 and s3://spacenet-dataset/Hosted-Datasets/fmow"
#: Changes whenever the same files would be read into other pixels: older parts are then read again.
_FORMAT = "fmow-part/1"
#: What a store of several dates keeps of each.
_PER_DATE = ("image", "date", "original_size")
#: Samples of one part: few files, and a killed build loses no more.
LOT = 64
#: Up to this many samples are read in this process: starting others takes seconds.
_FEW = 4 * LOT
#: Images whose published copy is damaged (fMoW/dataset, issue 19): that one of them fails is no failure of this copy.
DAMAGED = ("train/helipad/helipad_373/helipad_373_3", "val/helipad/helipad_107/helipad_107_3")


def build(
    root: Path, path: Path, settings: FmowSettings, workers: int | None = None, cluster: str | None = None
) -> None:
    """The store of the chosen rows; arguments and errors as in `brew.data.sources.building_parts.build`."""
    from brew.data.sources import building_parts  # Dask takes a second, and nobody else waits for it

    rows = chosen_rows(root, settings)
    check_store_fits(path, len(rows), variables(settings))
    here = len(rows) <= _FEW and workers is None and cluster is None
    building_parts.build(path, FmowPlan(root.absolute(), settings, rows), workers, cluster, here=here)


def chosen_rows(root: Path, settings: FmowSettings) -> np.ndarray:
    """(sample, date) of ROW, in the order of the store: rows that the settings choose, and other dates of their places.

    Raises BrewError if there is none.
    """
    dated = settings.images != "optical"
    tables = [(root / settings.tables.get(split, f"{split}.csv"), split) for split in settings.splits]
    listed = np.concatenate([read_rows(table, split, dated, settings.latitude_first) for table, split in tables])
    rows = listed[seen_on(listed, settings.dates)]
    if "optical" in settings.shows and (settings.pairs == "exact" or not dated):
        rows = rows[rows["image"] < ADDED]
    rows = choose(rows, settings.categories, settings.count)
    if not len(rows):
        raise BrewError(
            f"{', '.join(str(table) for table, _ in tables)}: no image is left of those chosen, of places with "
            f"{settings.dates} dates; expected some. Widen `categories` or `splits`, or ask for fewer `dates`"
        )
    return with_other_dates(rows, listed, settings.dates)


def variables(settings: FmowSettings) -> dict[str, Variable]:
    """Of the store."""
    numbers: dict[str, tuple[tuple[int, ...], str]] = {"image": ((), "int32"), "place": ((4,), "float64")}
    numbers["metres"] = ((2,), "float32")
    if "multispectral" in settings.shows:
        numbers |= {"date": ((), "int64"), "original_size": ((2,), "int32")}
    if "optical" in settings.shows:
        numbers |= {"optical_date": ((), "int64"), "optical_original_size": ((2,), "int32")}
        numbers |= {"optical_metres": ((), "float32"), "object_box": ((4,), "float32")}
    dims = {(): ("sample",), (2,): ("sample", "axis"), (4,): ("sample", "edge")}
    kept = {name: Variable(dims[shape], shape, dtype) for name, (shape, dtype) in numbers.items()}
    if settings.dates > 1:
        kept |= {name: _dated(kept[name], settings.dates) for name in _PER_DATE}
    texts = ["split", "origin", "hash", "location", "category"] + (["pair"] if settings.images == "pairs" else [])
    images = {name: _image_variable(name, settings) for name in settings.shows}
    return images | kept | {name: Variable(("sample",), (), "text") for name in texts}


def _image_variable(name: str, settings: FmowSettings) -> Variable:
    of, dims = IMAGES[name]
    side = settings.size * (settings.zoom if name == "optical" else 1)
    image = Variable((dims[0], *dims[2:]), (len(sensor(of)), side, side), sensor(of).dtype)
    if name == "multispectral" or settings.dates == 1:
        return _dated(image, settings.dates)
    return image


def _dated(one: Variable, dates: int) -> Variable:
    """The variable of a sample with so many dates."""
    return replace(one, dims=("sample", "time", *one.dims[1:]), shape=(dates, *one.shape))


@dataclass(frozen=True)
class FmowPlan:
    """Lots of consecutive samples, one part each. rows: (sample, date) of ROW, the chosen one first."""

    root: Path
    settings: FmowSettings
    rows: np.ndarray

    noun = "sample"

    @property
    def shared(self) -> Sequence[Path]:
        return (self.root,)

    def __getstate__(self) -> dict[str, Any]:
        """Workers get the rows of their lot, and no others."""
        return {"root": self.root, "settings": self.settings, "rows": self.rows[:0]}

    def items(self, run: "Run") -> tuple[Sequence[np.ndarray], list[Problem]]:
        return [self.rows[start : start + LOT] for start in range(0, len(self.rows), LOT)], []

    def samples(self, items: Sequence[np.ndarray]) -> int:
        return sum(map(len, items))

    def name(self, item: np.ndarray) -> str:
        return f"{name_of(item[0, 0])} to {name_of(item[-1, 0])}"

    def place(self, item: np.ndarray) -> Path:
        return multispectral_file(self.root, item[0, 0])

    def made_from(self, item: np.ndarray) -> dict[str, Any]:
        """Rows, settings, and every file that is read, by size and time of change."""
        from brew.data.sources.building_parts import seen

        files: list[Path] = []
        for dates in item:
            if "multispectral" in self.settings.shows:
                files += [multispectral_file(self.root, row) for row in dates]
            if "optical" in self.settings.shows:
                found = candidates(self.root, dates[0], self.settings)
                files += [file for each in found for file in (each.picture, each.metadata)]
        rows = [[name_of(row), int(row["time"]), *row["bounds"].tolist()] for row in item.flat]
        listed = [[str(file), seen(file)] for file in dict.fromkeys(files)]
        # NaN, of a list without polygons, equals itself as text alone.
        return {"format": _FORMAT, "settings": str(_kept(self.settings)), "rows": str(rows), "files": listed}

    def read(self, item: np.ndarray) -> "Content":
        from brew.data.sources.building_parts import Content

        samples, problems = [], []
        for dates in item:
            try:
                samples.append(read_sample(self.root, dates, self.settings))
            except BrewError as error:
                problems.append(self._problem(dates[0], error))
        if not samples:
            return Content(problems=problems)
        arrays = {name: np.stack([sample.arrays[name] for sample in samples]) for name in samples[0].arrays}
        texts = {name: [sample.texts[name] for sample in samples] for name in samples[0].texts}
        return Content(arrays, {"texts": texts}, problems)

    def _problem(self, row: np.void, error: BrewError) -> Problem:
        name, file = name_of(row), multispectral_file(self.root, row)
        if "optical" in self.settings.shows and "fmow-rgb" in str(error):
            file = optical_file(self.root, row, int(row["image"])).picture
        known = "; the published copy of this image is known to be damaged" if name in DAMAGED else ""
        return Problem(name, str(file), "", f"{error}{known}")

    def bears(self, problems: Sequence[Problem]) -> bool:
        """So many may fail as the settings say; those whose published copy is damaged do not count."""
        return len({problem.scene for problem in problems} - set(DAMAGED)) <= self.settings.failures

    def write(self, path: Path, parts: "Sequence[Part]", problems: Sequence[Problem]) -> None:
        left_out = sorted({problem.scene for problem in problems})
        samples = sum(len(part.record()["texts"]["origin"]) for part in parts)
        if not samples:
            raise BrewError(f"all {len(left_out)} images failed; expected some. Look at the list of problems")
        chosen = self.rows[:, 0]
        validating = set(map(place_of, chosen[held_out(chosen, self.settings.held_out)]))
        splits = {place_of(row): _store_split(row, validating) for row in chosen}
        attributes = {"source": "fMoW", "licence": LICENCE, **_kept(self.settings), "left_out": left_out}
        write_store(path, samples, variables(self.settings), _blocks(parts, splits), attributes)


def _store_split(row: np.void, validating: set[str]) -> str:
    split = SPLITS[split_of(row)]
    return "validation" if split == "pretrain" and place_of(row) in validating else split


def _blocks(parts: "Sequence[Part]", splits: Mapping[str, str]) -> Iterator[dict[str, np.ndarray]]:
    for part in parts:
        arrays = part.arrays()
        texts: dict[str, list[str]] = part.record()["texts"]
        texts["split"] = [splits[place] for place in texts["location"]]
        yield arrays | {name: np.array(values, dtype=object) for name, values in texts.items()}


def _kept(settings: FmowSettings) -> dict[str, Any]:
    """What of the settings says how samples were made, as the store keeps it."""
    return {
        name: asdict(settings)[name] for name in ("images", "pairs", "policy", "size", "zoom", "same_ground", "dates")
    }


def main(arguments: list[str]) -> int:
    """`brew build-fmow STORE [options]`."""
    usage = "brew build-fmow STORE [options]"
    parser = argparse.ArgumentParser("brew build-fmow", usage)
    parser.add_argument("store", type=Path, help="to write; must not exist")
    add_options(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="processes here; one per core if not given")
    where.add_argument("--cluster", help="address of a running Dask cluster")
    chosen = vars(parser.parse_args(arguments))
    path, workers, cluster = (chosen.pop(name) for name in ("store", "workers", "cluster"))
    build(real_data(FOLDER, OBTAIN), path, FmowSettings(**chosen), workers, cluster)
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """One option per setting, with its default; settings that are tables stay in params.yaml."""
    lists = {"splits": tuple(SPLITS), "categories": CATEGORIES}
    for entry in fields(FmowSettings):
        option = f"--{entry.name.replace('_', '-')}"
        if entry.name in lists:
            parser.add_argument(option, nargs="+", choices=lists[entry.name], default=entry.default, metavar="NAME")
        elif isinstance(entry.default, bool):
            parser.add_argument(option, action="store_true")
        elif isinstance(entry.default, int | float | str):
            choices = get_args(entry.type) or None
            parser.add_argument(option, type=type(entry.default), choices=choices, default=entry.default)
