"""BENCHMARKS: what is scored, one declaration each.

An entry names its task, where images and labels lie in which store, the sensor that reads them, classes and metric.
Adding a benchmark whose source exists is one entry here; the contract test picks it up.
"""

from dataclasses import dataclass
from typing import Literal

from brew.data.aerial import RSSCN7_CLASSES
from brew.data.miniature import CROPS, IGNORE, ROOFS, SCENES
from brew.errors import BrewError, nearest

Task = Literal["segmentation", "change", "classification"]


@dataclass(frozen=True)
class Protocol:
    """How the authors ran a benchmark. size: pixels of the input. loss: by its usual name. batch: effective.

    low_data: the part of the training labels in the low-data table, as published; None where it is not part of it.
    """

    size: int
    loss: str
    learning_rate: float
    epochs: int = 50
    batch: int = 64
    low_data: str | None = None


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    source: of SOURCES. images, labels: variables of its store. sensor: of SENSORS, reads the images. classes: by
    number.
    metric: the primary one, of METRICS; validation maximises it. ignore: a label that neither trains nor counts.
    tiles: the samples are tiles of larger scenes, whose statistics standardise them and which are stitched again.
    left_out: test scenes without which scores are given once more.
    multilabel: labels are (sample, class) of 0 and 1.
    protocol: the authors', for the paper's thirteen. errata: known errors of the data set that its reader mends.
    summary: what it asks for, in one clause.
    """

    name: str
    task: Task
    source: str
    images: str
    labels: str
    sensor: str
    classes: tuple[str, ...]
    metric: str
    summary: str
    ignore: int | None = None
    tiles: bool = False
    left_out: tuple[str, ...] = ()
    multilabel: bool = False
    protocol: Protocol | None = None
    errata: str = ""

    @property
    def modality(self) -> Literal["optical", "multispectral"]:
        """Which of the paper's two groups it belongs to."""
        return "optical" if self.sensor == "rgb" else "multispectral"


_CHANGE = ("no change", "change")

BENCHMARKS: dict[str, Benchmark] = {
    entry.name: entry
    for entry in (
        Benchmark(
            "roofs", "segmentation", "miniature", "optical", "roofs", "rgb", ROOFS, "iou_macro",
            "roof kinds from RGB at 2.5 m: fine optical texture",
        ),
        Benchmark(
            "crops", "segmentation", "miniature", "multispectral", "crops", "sentinel2", CROPS, "iou_macro",
            "crops from ten bands: red edge and short-wave infrared", ignore=IGNORE,
        ),
        Benchmark(
            "new-sites", "change", "miniature", "multispectral", "change", "sentinel2", _CHANGE, "f1",
            "construction, clearing, solar fields and floods between two dates; harvest is no change",
        ),
        Benchmark(
            "scenes", "classification", "miniature", "multispectral", "scene", "sentinel2", SCENES, "accuracy",
            "the kind of landscape from ten bands",
        ),
        Benchmark(
            "oscd", "change", "oscd", "multispectral", "change", "sentinel2", _CHANGE, "f1",
            "urban change between two dates in ten test cities", tiles=True, left_out=("saclay_w",),
        ),
        Benchmark(
            "rsscn7", "classification", "rsscn7", "optical", "scene", "rgb", RSSCN7_CLASSES, "accuracy",
            "seven kinds of aerial scenes",
        ),
        Benchmark(
            "hot-buildings", "segmentation", "hot_buildings", "optical", "buildings", "rgb", ("other", "building"),
            "iou",
            "buildings in aerial chips of about 0.15 m",
        ),
    )
}  # fmt: skip


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name; BrewError with the nearest known one where there is none."""
    if name not in BENCHMARKS:
        raise BrewError(f"benchmark {name!r} is unknown; {nearest(name, tuple(BENCHMARKS))}")
    return BENCHMARKS[name]
