"""fMoW's published files: lists, images of a part by category and count, or all.

fMoW-Sentinel is one archive of 77.5 GB, of which single files are found by reading it from its beginning. The files of
a part are taken from the stream as it comes: neither the archive nor the rest of it ever lies on the disk. If all
images are wanted, the archive is fetched first, going on where an earlier transfer broke off. fMoW-RGB's files are
fetched one by one, by name. Whatever lies there already is kept.
"""

import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, cast

import numpy as np
from tqdm.auto import tqdm

from brew.data.fetch import Remote, RemoteStream, download, fetch
from brew.data.sources.fmow.fmow_rows import ADDED, SPLITS, name_of
from brew.data.sources.fmow.fmow_samples import FmowSettings, multispectral_file, optical_file
from brew.data.sources.fmow.fmow_store import chosen_rows
from brew.data.sources.source import Wanted
from brew.errors import BrewError
from brew.files import check_room, replacing

SENTINEL_HOST = "https://stacks.stanford.edu/file/druid:vg497cb6002"
RGB_HOST = "https://spacenet-dataset.s3.amazonaws.com/Hosted-Datasets/fmow/fmow-rgb"
ARCHIVE = "fmow-sentinel.tar.gz"
ARCHIVE_BYTES = 77_497_587_986
SIZES = {
    "train.csv, val.csv, test_gt.csv": 221_090_000,
    "fmow-sentinel.tar.gz, read whole for any part of it": ARCHIVE_BYTES,
    "fmow-rgb, all of about a million images and their twins, fetched by name": 200_000_000_000,
}
Stream = io.RawIOBase | io.BufferedIOBase
#: Images of fMoW-RGB that are fetched at a time.
_TOGETHER = 8


def remotes() -> tuple[Remote, ...]:
    """The lists."""
    return tuple(Remote(f"{split}.csv", f"{SENTINEL_HOST}/{split}.csv") for split in SPLITS)


def fetch_images(folder: Path, wanted: Wanted) -> None:
    """Bring the images that a part names below `folder`: pairs of one number, or all images if it names no part.

    Raises BrewError if the archive lacks a file or images of fMoW-RGB are refused; all others are brought before.
    """
    part = bool(wanted.categories or wanted.count)
    settings = FmowSettings(
        images="pairs" if part else "multispectral", splits=wanted.splits or tuple(SPLITS),
        categories=wanted.categories, count=wanted.count,
    )  # fmt: skip
    rows = chosen_rows(folder, settings)[:, 0]
    print(f"{len(rows)} multispectral images and {int((rows['image'] < ADDED).sum())} optical ones are asked for")
    absent = {f"fmow-sentinel/{name_of(row)}.tif" for row in rows if not multispectral_file(folder, row).is_file()}
    if absent:
        with _archive(folder, part) as archive:
            take(archive, absent, folder)
    if "test_gt" in settings.splits:
        fetch([Remote("fmow-rgb/groundtruth.tar.bz2", f"{RGB_HOST}/groundtruth.tar.bz2")], folder, "")
    _fetch_optical(folder, rows[rows["image"] < ADDED])


@contextmanager
def _archive(folder: Path, part: bool) -> Iterator[Stream]:
    """fMoW-Sentinel's archive: the one that lies there, or for a part the stream from its host."""
    file, url = folder / ARCHIVE, f"{SENTINEL_HOST}/{ARCHIVE}"
    if not file.is_file() and part:
        yield RemoteStream(url)
        return
    if not file.is_file():
        check_room(file, ARCHIVE_BYTES)
        download(url, file)
    with file.open("rb") as stream:
        yield stream


def take(archive: Stream, names: Iterable[str], folder: Path) -> None:
    """Write the members of these names of a tar.gz below `folder`, reading it once and no further than the last.

    Raises BrewError if the archive is damaged or lacks a member; what was found before is kept.
    """
    left = set(names)
    try:
        with (
            tarfile.open(fileobj=cast(IO[bytes], archive), mode="r|gz") as packed,
            tqdm(desc="archive", unit="file", total=len(left), disable=None) as progress,
        ):
            for member in packed:
                packed.members = []  # type: ignore[attr-defined]  # which would grow to a record of every member
                name = member.name.removeprefix("./")
                if name in left:
                    _write(packed, member, folder / name)
                    left.remove(name)
                    progress.update()
                if not left:
                    return
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BrewError(f"{ARCHIVE} is damaged ({error}); expected a whole archive. Obtain it again") from error
    raise BrewError(
        f"{ARCHIVE} lacks {len(left)} files, such as {min(left)}; expected those of the lists. Leave their rows out"
    )


def _write(packed: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = packed.extractfile(member)
    if content is None:
        raise BrewError(f"{ARCHIVE}: {member.name} is no file; expected an image. Obtain the archive again")
    with replacing(target, member.size) as partial:
        partial.write_bytes(content.read())


def _fetch_optical(folder: Path, rows: np.ndarray) -> None:
    """Images of fMoW-RGB and their JSON files; BrewError counting those that could not be fetched."""
    base = folder / "fmow-rgb"
    partners = (optical_file(folder, row, int(row["image"])) for row in rows)
    absent = [file for file in chain.from_iterable((each.picture, each.metadata) for each in partners)
              if not file.is_file()]  # fmt: skip

    def bring(file: Path) -> str:
        try:
            download(f"{RGB_HOST}/{file.relative_to(base).as_posix()}", file)
        except BrewError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(_TOGETHER) as pool:
        results = tqdm(pool.map(bring, absent), desc="fmow-rgb", unit="file", total=len(absent), disable=None)
        failures = [failure for failure in results if failure]
    if failures:
        raise BrewError(
            f"{len(failures)} of {len(absent)} files of fMoW-RGB could not be fetched; expected all. The first: "
            f"{failures[0]}. Run again to go on, or build with as many `failures`"
        )
