"""A tree of tiny fMoW files, in the layouts of the releases."""

import csv
import json
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

#: Degrees of a pixel of 10 m at the equator.
DEGREE = 10 / 111_195.0


class Tree:
    """Writes rows and files below `root`; rows become the CSV files of their splits."""

    def __init__(self, root: Path):
        self.root = root
        self.rows: dict[str, list[dict[str, str]]] = {}

    def row(
        self, location=0, image=6, split="train", category="airport", size=(44, 50), corner=(100.0, 0.1), **changes
    ):
        """A row whose footprint begins at the west and south of `corner`; size: rows, columns of 10 m."""
        west, south = corner
        east, north = west + size[1] * DEGREE, south + size[0] * DEGREE
        polygon = f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"
        row = {"category": category, "location_id": str(location), "image_id": str(image),
               "timestamp": "2016-03-01T10:30:00Z", "polygon": polygon} | changes  # fmt: skip
        self.rows.setdefault(split, []).append(row)
        return west, south, east, north

    def lists(self):
        for split, rows in self.rows.items():
            self.list(split, rows)

    def list(self, split, rows):
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / f"{split}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["", *rows[0]])
            writer.writeheader()
            writer.writerows({"": str(index)} | row for index, row in enumerate(rows))

    def stem(self, kind, location, image, split="train", category="airport") -> Path:
        place = f"{category}_{location}"
        return self.root / kind / split / category / place / f"{place}_{image}"

    def tif(self, values, location=0, image=6, interleave="pixel", **where) -> Path:
        path = self.stem("fmow-sentinel", location, image, **where).with_suffix(".tif")
        path.parent.mkdir(parents=True, exist_ok=True)
        count, height, width = values.shape
        with rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype,
                           interleave=interleave) as file:  # fmt: skip
            file.write(values)
        return path

    def jpg(self, pixels, location=0, image=6, twin=False, metadata=None, save=None, **where) -> Path:
        stem = self.stem("fmow-rgb", location, image, **where)
        stem.parent.mkdir(parents=True, exist_ok=True)
        path = stem.with_name(f"{stem.name}_{'msrgb' if twin else 'rgb'}.jpg")
        Image.fromarray(pixels).save(path, quality=95, subsampling=0, **(save or {}))
        path.with_suffix(".json").write_text(json.dumps({**METADATA, **(metadata or {})}))
        return path

    def pair(self, location=0, image=6, size=(44, 50), optical=(440, 500), level=1000, **where):
        """A sound pair, exact; band n of the multispectral image holds level + n."""
        corner = (100.0 + location % 50, 0.1)
        bounds = self.row(location, image, size=size, corner=corner, **where)
        self.tif(bands(size, level), location, image, **where)
        self.jpg(np.full((*optical, 3), (200, 100, 50), np.uint8), location, image,
                 metadata={"raw_location": wkt(bounds)}, **where)  # fmt: skip
        return bounds


METADATA = {
    "gsd": 1.0, "img_width": 500, "img_height": 440, "img_filename": "airport_0_6_rgb.tif", "cloud_cover": 3,
    "timestamp": "2016-02-20T10:30:00.5Z", "utm": "47N", "sensor_platform_name": "WORLDVIEW02",
    "abs_cal_factors": [{"band": "r", "value": 0.01}],
    "bounding_boxes": [{"ID": 3, "category": "airport", "box": [100, 110, 200, 220]}],
}  # fmt: skip


def wkt(bounds) -> str:
    west, south, east, north = bounds
    return f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"


def bands(size, level=1000, dtype=np.uint16) -> np.ndarray:
    return np.broadcast_to(level + np.arange(1, 14)[:, None, None], (13, *size)).astype(dtype)
