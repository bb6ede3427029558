"""How every figure looks: one theme, one colour per arm everywhere, deterministic files with a caption beside them."""

import json
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from brew.compendium import stamp

#: Arms and references in the order in which tables and figures show them, each with its label.
_STUDIED: dict[str, str] = {
    "random": "random trunk",
    "ms-only": "MS self-distillation only",
    "ms-only-matched": "MS only, compute-matched",
    "ms+optical-path": "MS + optical self-distillation",
    "deo": "DEO (both teachers)",
    "masked": "masked image modelling",
    "masked+distillation": "masked + optical teacher",
    "teacher": "optical teacher itself",
    "cva": "change vector analysis",
    "fc-siam-diff": "FC-Siam-diff (supervised)",
    "band-statistics": "per-band statistics",
}
#: The ablation's rows between its ends, and variations, in one row of colours of their own.
_VARIED: dict[str, str] = {
    "class-token": "+ optical class token",
    "optical-path": "+ separate optical path",
    "patch-tokens": "+ optical patch tokens",
    "augmented": "+ optical augmentation",
    "optical-only": "optical distillation alone",
    "optical-self": "optical self-distillation alone",
    "deo-released": "DEO, released weights of L_O",
    "deo+sar": "DEO with a radar teacher",
    "deo-self-distilled": "DEO, self-distilled optical teacher",
    "masked-self-distilled": "masked + self-distilled optical teacher",
}
#: Where paper and released code disagree: DEO in the other reading.
_READINGS: dict[str, str] = {
    "deo-printed": "DEO, expansion as printed",
    "deo-own-images": "DEO, high resolution for the optical stem alone",
}
#: Arms beyond the paper, likewise.
_BEYOND: dict[str, str] = {
    "ms+time": "MS self-distillation over dates",
    "ms+time-unpaired": "MS self-distillation, dates unpaired",
    "deo+time": "DEO over dates",
    "deo+time-pooled": "DEO over dates, pooled vectors",
    "deo+time-unpaired": "DEO, dates unpaired",
    "ms+labels": "MS self-distillation + labels",
    "deo+labels": "DEO + labels",
    "deo+labels-tenth": "DEO + a tenth of the labels",
    "deo+labels-hundredth": "DEO + a hundredth of the labels",
    "labels-only": "labels alone",
    "deo-random": "DEO, random teacher",
    "deo-miniature": "DEO, the miniature's teacher",
    "deo+time-all": "DEO over dates, all patches",
    "deo+change-labels": "DEO + labels of change",
    "deo-spread": "DEO, weighted by spread",
    "deo+time-spread": "DEO over dates, weighted by spread",
    "deo-class": "DEO, class token alone",
    "deo-window": "DEO, patches within a window",
}
#: Arms with labels of aerial images, each with a colour that no arm of their scale has.
_AERIAL: dict[str, tuple[str, str]] = {
    "deo+aerial-scenes": ("DEO + labels of aerial scenes", "#004d40"),
    "deo+aerial-buildings": ("DEO + labels of aerial buildings", "#c6d92d"),
}
#: Backbones of others, in a row of colours of their own.
_FOREIGN: dict[str, str] = {
    "imagenet": "EfficientNet-Lite0 (ImageNet)",
    "deo-swin-b": "DEO Swin-B (released)",
    "deo-vit-b": "DEO ViT-B (released)",
    "dinov2-b": "DINOv2-B",
    "dinov3-b": "DINOv3-B",
    "dinov3-l-sat": "DINOv3-L satellite",
    "scale-mae": "Scale-MAE",
    "croma": "CROMA",
    "dofa": "DOFA",
    "panopticon": "Panopticon",
    "copernicus-fm": "Copernicus-FM",
    "ssl4eo-s12": "SSL4EO-S12",
    "satlas": "Satlas",
    "unet-resnet50": "U-Net, ResNet-50 (supervised)",
}
BACKBONES: dict[str, str] = (
    _STUDIED | _VARIED | _READINGS | _BEYOND | {name: words for name, (words, _) in _AERIAL.items()} | _FOREIGN
)
# Wong's colour-blind-safe palette as seaborn ships it; grey for what learns nothing, and for statistics.
_WONG = iter(sns.color_palette("colorblind", len(_STUDIED) - 2).as_hex())
COLOURS: dict[str, str] = {
    name: {"random": "#7f7f7f", "band-statistics": "#bdbdbd"}.get(name) or next(_WONG) for name in _STUDIED
}
for _names, _palette in ((_VARIED, "flare"), (_READINGS, "crest"), (_FOREIGN, "viridis")):
    COLOURS |= dict(zip(_names, sns.color_palette(_palette, len(_names)).as_hex(), strict=True))
# Three more than the arms: with fewer, neighbours and the arms of other rows could not be told.
_BEYONDS_COLOURS = sns.color_palette("gist_rainbow", len(_BEYOND) + 3).as_hex()[: len(_BEYOND)]
COLOURS |= dict(zip(_BEYOND, _BEYONDS_COLOURS, strict=True))
COLOURS |= {name: hue for name, (_, hue) in _AERIAL.items()}
# It is drawn beside its neighbour in the row, from which it could not be told: Wong's sky blue, which no arm has.
COLOURS["masked-self-distilled"] = "#56b4e9"
# The ablation's rows between its first and last one are drawn side by side: from light to dark.
COLOURS |= {"class-token": "#f7d9b0", "optical-path": "#eb9973", "patch-tokens": "#db565d", "augmented": "#8b1a3a"}


def label(backbone: str) -> str:
    return BACKBONES.get(backbone, backbone)


def colour(backbone: str) -> str:
    return COLOURS.get(backbone, "#000000")


def use_theme() -> None:
    """The house's look, for the running process.

    pandas asks when it is imported whether it shows tables on a page or in a terminal; here they are for a page.
    """
    pd.options.display.max_columns = 20
    sns.set_theme(context="notebook", style="ticks", palette="colorblind")
    mpl.rcParams.update({
        "figure.dpi": 110, "savefig.dpi": 130, "savefig.bbox": "tight", "font.size": 10, "axes.titlesize": 10,
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "image.interpolation": "nearest",
    })  # fmt: skip


def save(figure: Figure, path: Path, caption: str) -> Path:
    """Write `figure` (PNG) and, beside it, its caption as JSON. Same figure, same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    write_caption(path, caption)
    return path


def write_caption(path: Path, caption: str) -> None:
    content = {"caption": stamp.caption(caption)}
    path.with_suffix(".json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def caption_of(path: Path) -> str:
    return json.loads(path.with_suffix(".json").read_text())["caption"]
