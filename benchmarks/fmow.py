"""fMoW as a store: pairs per second with one worker and two, memory, and what half a million pairs would take.

The pairs are generated in the published layouts with the published sizes: TIFFs of 50 to 502 by 18 to 505 pixels with
medians 51 and 44, JPEGs of the same ground at .3 to 1 m. Two dozen places are written. Others are links to their
files, so that reading them costs what other files of those sizes would. A build is also killed on its way and gone on
with: its bytes have to be those of the build that was left alone. Memory is the largest resident size of the process
that writes the store, and of any worker.
Left out: reading from a disk that is not in the system's cache, and more workers than this machine has cores.

    python -m benchmarks.fmow FOLDER [--pairs 20000]
"""

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

from brew.data.sources.fmow.fmow_rows import CATEGORIES
from brew.files import ROOT, sha256

_SCRIPT = """
import json, resource, sys
from pathlib import Path

from brew.data.sources.fmow import fmow_store

if __name__ == "__main__":
    fmow_store.build(Path(sys.argv[1]), Path(sys.argv[2]), fmow_store.FmowSettings(), int(sys.argv[3]))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps([*(each.ru_maxrss for each in used), sum(each.ru_utime + each.ru_stime for each in used)]))
"""
#: Degrees of a metre at the equator.
_DEGREE = 1 / 111_195
_IMAGES, _PLACES = 10, 24


def generate(root: Path, pairs: int, processes: int) -> None:
    """Exact pairs, ten of a place, as `train.csv` and the files that it names."""
    root.mkdir(parents=True)
    places = range(-(-pairs // _IMAGES))
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        polygons = list(pool.map(_write_place, repeat(root), places[:_PLACES]))
    with (root / "train.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["", "category", "location_id", "image_id", "timestamp", "polygon"])
        for number in range(pairs):
            place, image = divmod(number, _IMAGES)
            category = CATEGORIES[place % _PLACES]
            writer.writerow([number, category, place, image, "2016-03-01T10:30:00Z", polygons[place % _PLACES]])
            if place >= _PLACES:
                _link(root, place, image)


def _stem(place: int, image: int) -> str:
    category = CATEGORIES[place % _PLACES]
    return f"train/{category}/{category}_{place}/{category}_{place}_{image}"


def _link(root: Path, place: int, image: int) -> None:
    for kind, ending in (("fmow-sentinel", ".tif"), ("fmow-rgb", "_rgb.jpg"), ("fmow-rgb", "_rgb.json")):
        target = root / kind / f"{_stem(place, image)}{ending}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(root / kind / f"{_stem(place % _PLACES, image)}{ending}")


def _write_place(root: Path, place: int) -> str:
    """Ten images of one place, smooth ground with noise; its polygon."""
    generator = np.random.default_rng((17, place))
    width = int(np.clip(50 + generator.exponential(2) ** 2.6, 50, 502))
    height = int(np.clip(generator.lognormal(np.log(44), 0.3) * width / 51, 18, 505))
    west, south = 100 + place * 0.1, 0.1
    east, north = west + 10 * width * _DEGREE, south + 10 * height * _DEGREE
    polygon = f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"
    for image in range(_IMAGES):
        _write_tif(root / "fmow-sentinel" / f"{_stem(place, image)}.tif", height, width, generator)
        metres = float(generator.uniform(0.3, 1.0))
        size = round(10 * height / metres), round(10 * width / metres)
        picture = root / "fmow-rgb" / f"{_stem(place, image)}_rgb.jpg"
        _write_jpg(picture, size, generator)
        boxes = [{"ID": 1, "category": "zoo", "box": [9, 9, 99, 99]}]
        told = {"gsd": metres, "timestamp": "2016-02-20T10:30:00.5Z", "raw_location": polygon, "bounding_boxes": boxes}
        picture.with_suffix(".json").write_text(json.dumps(told))
    return polygon


def _write_tif(path: Path, height: int, width: int, generator: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:height, :width]
    ground = 1500 + 600 * np.sin(x / 7) + 400 * np.cos(y / 9)
    values = (ground + generator.normal(0, 60, (13, height, width))).clip(1).astype(np.uint16)
    where = {"crs": "EPSG:4326", "transform": rasterio.Affine(1e-4, 0, 100, 0, -1e-4, 1)}
    with rasterio.open(path, "w", driver="GTiff", width=width, height=height, count=13, dtype="uint16",
                       interleave="pixel", compress="deflate", **where) as file:  # fmt: skip
        file.write(values)


def _write_jpg(path: Path, size: tuple[int, int], generator: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = generator.integers(40, 220, (size[0] // 16 + 1, size[1] // 16 + 1, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).save(path, quality=85)


def built(root: Path, store: Path, workers: int, kill_after: float = 0) -> dict[str, float]:
    """Build in a process of its own; seconds and MiB of it and its largest worker. kill_after: seconds, 0 for never."""
    started = time.monotonic()
    script = store.with_name("build.py")
    script.write_text(_SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, root, store, str(workers)], stdout=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        out, _ = process.communicate(timeout=kill_after or None)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        parts = len(list(store.parent.glob(f".parts-{store.name}/*.npz")))
        return {"seconds": time.monotonic() - started, "parts": parts}
    own, worker, processor = json.loads(out.splitlines()[-1])
    return {
        "seconds": time.monotonic() - started,
        "processor s": processor,
        "writer MiB": own / 1024,
        "worker MiB": worker / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for files and stores; made")
    parser.add_argument("--pairs", type=int, default=20_000)
    chosen = parser.parse_args()
    root, store = chosen.folder / "fmow", chosen.folder / "store.zarr"
    if not (root / "train.csv").exists():
        shutil.rmtree(root, ignore_errors=True)
        started = time.monotonic()
        generate(root, chosen.pairs, 2)
        print(f"generated {chosen.pairs} pairs in {time.monotonic() - started:.0f} s", flush=True)
    hashes = []
    for workers in (1, 2):
        found = built(root, store, workers)
        rate = chosen.pairs / found["seconds"]
        print(
            f"{workers} workers: {found}; {rate:.1f} pairs/s; 500,000 pairs: {500_000 / rate / 3600:.1f} h", flush=True
        )
        hashes.append(sha256(store))
        shutil.rmtree(store)
    killed = built(root, store, 2, kill_after=found["seconds"] / 3)
    print(f"killed: {killed}", flush=True)
    print(f"gone on with: {built(root, store, 2)}", flush=True)
    hashes.append(sha256(store))
    shutil.rmtree(store)
    print(f"the three stores are {'the same' if len(set(hashes)) == 1 else 'DIFFERENT'}: {hashes[0]}", flush=True)


if __name__ == "__main__":
    main()
