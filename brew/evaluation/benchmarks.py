"""BENCHMARKS: what is scored, one declaration each.

An entry names its task, where images and labels lie in which store, the sensor that reads them, classes and metric.
Adding a benchmark whose source exists is one entry here; the contract test picks it up.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from brew.data.miniature.legends import CROPS, GROUPS, IGNORE, MATERIALS, ROOFS, SCENES
from brew.data.sources import rsscn7
from brew.data.sources.forms import FORMS
from brew.errors import unknown
from brew.evaluation.protocols import Protocol

Task = Literal["segmentation", "change", "classification"]
#: What tells a benchmark's classes apart, so that one can see what each teacher brings.
LivesOn = Literal[
    "fine texture",
    "red edge and short-wave infrared",
    "short-wave infrared",
    "the whole spectrum",
    "backscatter",
    "time",
]
Modality = Literal["optical", "multispectral", "radar"]
#: Fields that say something about a benchmark, or are for its tables alone; they decide no result of a computation.
_REMARKS = ("summary", "errata", "lives_on", "protocol", "left_out")
_MODALITIES: dict[str, Modality] = {"rgb": "optical", "sentinel1": "radar"}


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    source: of SOURCES. images, labels: variables of its store. sensor: of SENSORS, reads the images. classes: by
    number.
    metric: the primary one, of METRICS; validation maximises it. ignore: a label that neither trains nor counts.
    tiles: the samples are tiles of larger scenes, whose statistics standardise them and which are stitched again.
    left_out: test scenes without which scores are given once more.
    multilabel: labels are (sample, class) of 0 and 1.
    over_time: how features of all dates are pooled (`brew.evaluation.over_time`); "" reads the first date alone.
    protocol: the authors', for the paper's thirteen. errata: known errors of the data set that its reader mends.
    summary: what it asks for, in one clause. lives_on: what tells its classes apart.
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
    lives_on: LivesOn = "the whole spectrum"
    over_time: Literal["", "mean", "median", "attention"] = ""

    def decisive(self) -> dict[str, Any]:
        """The fields that decide a result: what a key of the result cache holds of a benchmark."""
        named = {name: value for name, value in asdict(self).items() if name not in _REMARKS}
        return named if self.over_time else {name: value for name, value in named.items() if name != "over_time"}

    @property
    def modality(self) -> Modality:
        """Which of the paper's two groups it belongs to, or the one beside them."""
        return _MODALITIES.get(self.sensor, "multispectral")

    @property
    def background(self) -> bool:
        """Whether class 0 is what is none of the others; some tables leave it out of their means."""
        return self.classes[0] in ("none", "other", "background", "no cattle", "no solar pv", "no change")


_CHANGE = ("no change", "change")
_POOLED: tuple[tuple[Literal["attention", "mean", "median"], str], ...] = (
    ("attention", ""), ("mean", "-mean"), ("median", "-median"),
)  # fmt: skip
_INFRARED: LivesOn = "red edge and short-wave infrared"
_BINARY, _CATEGORICAL = "one-hot-cross-entropy", "cross-entropy"
#: PASTIS is fed in the order of its files, blue first.
_FILE_ORDER = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
#: The tenth of the training samples that the data set itself names.
_TENTH = "partition_0.10"
#: The paper says how change is decoded, not how the decoder is trained.
_BTC = "BTC-change-detection at db41090, the closest published code; the authors' own is not"


def _change(size: int) -> Protocol:
    return Protocol(
        size, "dice", 1e-4, epochs=100, batch=32, warmup=0, last_rate=0.0, statistics="backbone", read_from=_BTC
    )


def _published(
    name: str,
    metric: str,
    summary: str,
    protocol: Protocol | None,
    errata: str = "",
    ignore: int | None = None,
    lives_on: LivesOn = "the whole spectrum",
) -> Benchmark:
    """A benchmark that has its source to itself; the form of its samples says task, sensor and classes."""
    form = FORMS[name]
    task: Task = "classification" if form.label != "map" else "change" if form.dates == 2 else "segmentation"
    return Benchmark(
        name, task, name, form.images, "label", form.sensor, form.classes, metric, summary, ignore=ignore,
        multilabel=form.label == "classes", protocol=protocol, errata=errata,
        lives_on="fine texture" if form.sensor == "rgb" else lives_on,
    )  # fmt: skip


BENCHMARKS: dict[str, Benchmark] = {
    entry.name: entry
    for entry in (
        Benchmark(
            "roofs", "segmentation", "miniature", "optical", "roofs", "rgb", ROOFS, "iou_macro",
            "roof kinds from RGB at 2.5 m: fine optical texture", lives_on="fine texture",
        ),
        Benchmark(
            "crops", "segmentation", "miniature", "multispectral", "crops", "sentinel2", CROPS, "iou_macro",
            "crops from ten bands: red edge and short-wave infrared", ignore=IGNORE,
            lives_on=_INFRARED,
        ),
        *(
            Benchmark(
                f"crops-year{suffix}", "segmentation", "miniature", "multispectral", "crops_year", "sentinel2", CROPS,
                "iou_macro", f"crops that differ in their calendar alone, features of all dates pooled by {how}",
                ignore=IGNORE, lives_on="time", over_time=how,
            )
            for how, suffix in _POOLED
        ),
        Benchmark(
            "materials-sar", "segmentation", "miniature", "sar", "materials", "sentinel1", MATERIALS, "iou_macro",
            "all surface materials from radar alone", lives_on="backscatter",
        ),
        Benchmark(
            "new-sites", "change", "miniature", "multispectral", "change", "sentinel2", _CHANGE, "f1",
            "construction, clearing, solar fields and floods between two dates; harvest is no change",
        ),
        Benchmark(
            "new-sites-rgb", "change", "miniature", "optical", "change", "rgb", _CHANGE, "f1",
            "the same changes from RGB at 2.5 m, mapped at 10 m", lives_on="fine texture",
        ),
        Benchmark(
            "land-uses", "classification", "miniature", "multispectral", "scene_labels", "sentinel2", GROUPS,
            "f1_multilabel_micro", "every kind of surface that covers enough of a scene, from ten bands",
            multilabel=True,
        ),
        Benchmark(
            "scenes", "classification", "miniature", "multispectral", "scene", "sentinel2", SCENES, "accuracy",
            "the kind of landscape from ten bands",
        ),
        Benchmark(
            "oscd", "change", "oscd", "multispectral", "change", "sentinel2", _CHANGE, "f1",
            "urban change between two dates in ten test cities", tiles=True, left_out=("saclay_w",),
            protocol=_change(96),
        ),
        Benchmark(
            "rsscn7", "classification", "rsscn7", "optical", "scene", "rgb", rsscn7.CLASSES, "accuracy",
            "seven kinds of aerial scenes", lives_on="fine texture",
        ),
        Benchmark(
            "hot-buildings", "segmentation", "hot_buildings", "optical", "buildings", "rgb", ("other", "building"),
            "iou",
            "buildings in aerial chips of about 0.15 m", lives_on="fine texture",
        ),
        _published(
            "spacenet1", "iou_macro", "buildings of Rio de Janeiro at 0.5 m",
            Protocol(224, _BINARY, 1e-4, orientations=4, statistics="white", low_data=_TENTH),
            "chips differ in size by a pixel; all are read at 224 x 224",
        ),
        _published("m-nz-cattle", "iou_macro", "cattle on New Zealand's pastures at 0.1 m",
                   Protocol(500, _BINARY, 1e-4)),
        _published("m-pv4ger-seg", "iou_macro", "solar panels on German roofs at 0.1 m",
                   Protocol(320, _BINARY, 1e-4, low_data=_TENTH)),
        _published("m-chesapeake", "iou_macro", "land cover around Chesapeake Bay at 1 m, without the near infrared",
                   Protocol(256, _BINARY, 1e-4)),
        _published("m-sa-crop-type", "iou_macro", "crops of South Africa's Western Cape",
                   Protocol(256, _BINARY, 1e-4, low_data=_TENTH), lives_on=_INFRARED),
        _published("m-cashew-plant", "iou_macro", "cashew plantations in Benin, well and poorly managed",
                   Protocol(256, _BINARY, 1e-2, low_data=_TENTH), lives_on=_INFRARED),
        _published(
            "sen1floods11", "iou_micro", "flood water on six continents",
            Protocol(512, _CATEGORICAL, 1e-4), ignore=0, lives_on="short-wave infrared",
        ),
        _published(
            "pastis", "iou_macro", "eighteen crops of France from a year's median image",
            Protocol(128, _BINARY, 1e-2, bands=_FILE_ORDER), lives_on=_INFRARED,
        ),
        *(
            replace(_published(
                "pastis-year", "iou_macro", f"the same crops, features of fifteen months pooled by {how}", None,
                lives_on="time",
            ), name=f"pastis-year{suffix}", over_time=how)
            for how, suffix in _POOLED
        ),
        _published(
            "levir-cd", "f1", "new and lost buildings in Texas at 0.5 m, in tiles of 256 pixels",
            _change(256),
        ),
        _published(
            "bigearthnet-v2", "f1_multilabel_micro",
            "nineteen kinds of European land cover; at hand are nine patches, which show the format", None,
            "the files' tags say 60 m; a pixel is 10 m wide",
        ),
        _published("m-bigearthnet", "f1_multilabel_micro", "land cover of ten European countries, many kinds a patch",
                   Protocol(120, _BINARY, 1e-3, low_data=_TENTH)),
        _published("m-so2sat", "accuracy", "local climate zones of 42 cities",
                   Protocol(32, _CATEGORICAL, 1e-3)),
        _published(
            "m-eurosat", "accuracy", "ten kinds of European land use", Protocol(64, _CATEGORICAL, 1e-2),
            errata="B8A is the last of thirteen channels, not the ninth as the files say; B9 to B12 move up by one "
            "(geo-bench issue 28). The authors took them as named",
        ),
    )
}  # fmt: skip


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name; BrewError with the nearest known one where there is none."""
    if name not in BENCHMARKS:
        raise unknown("benchmark", name, BENCHMARKS)
    return BENCHMARKS[name]
