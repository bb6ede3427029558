"""How every figure looks: one theme, one colour per arm everywhere, deterministic files with a caption beside them."""

import json
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

#: Backbones in the order in which tables and figures show them, each with its label. Colours follow this order.
BACKBONES: dict[str, str] = {
    "random": "random trunk",
    "ms-only": "MS self-distillation only",
    "deo": "DEO (both teachers)",
    "ms+optical-path": "MS + optical self-distillation",
    "teacher": "optical teacher itself",
    "cva": "change vector analysis",
    "fc-siam-diff": "FC-Siam-diff (supervised)",
    "statistics": "per-band statistics",
}
# Wong's colour-blind-safe palette as seaborn ships it; grey for what learns nothing.
_PALETTE = sns.color_palette("colorblind", len(BACKBONES)).as_hex()
COLOURS: dict[str, str] = dict(zip(BACKBONES, _PALETTE, strict=True)) | {"random": "#7f7f7f"}


def label(backbone: str) -> str:
    return BACKBONES.get(backbone, backbone)


def colour(backbone: str) -> str:
    return COLOURS.get(backbone, "#000000")


def use_theme() -> None:
    """The house's look, for the running process."""
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
    path.with_suffix(".json").write_text(json.dumps({"caption": caption}, indent=1, ensure_ascii=False) + "\n")


def caption_of(path: Path) -> str:
    return json.loads(path.with_suffix(".json").read_text())["caption"]
