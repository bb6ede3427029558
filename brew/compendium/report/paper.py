"""What the paper compares, and by which names claims call it: benchmarks, averages over them, and models.

The paper's tables and the ledger read the same names from here; what a benchmark or a backbone is stands in their own
tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from brew.compendium.scales import MINIATURE
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark, Modality, Task

TASKS: tuple[Task, ...] = ("segmentation", "change", "classification")
#: Scales on the procedural Earth: nothing there can be held against a number from real images.
SYNTHETIC = (MINIATURE, "tiny", "radar", "study", "gpu", "beyond", "misaligned")
#: The one scale whose students are the paper's own, same architecture and same data; and the one of its ablation.
PAPER, ABLATED = "paper", "ablation"

#: The paper's thirteen in its order: the name that claims give a data set -> of BENCHMARKS.
DATASETS: dict[str, str] = {
    "SpaceNetv1": "spacenet1",
    "m-nz-cattle": "m-nz-cattle",
    "m-pv4ger-seg": "m-pv4ger-seg",
    "m-chesapeake": "m-chesapeake",
    "m-SA-crop-type": "m-sa-crop-type",
    "m-cashew-plant": "m-cashew-plant",
    "Sen1Floods11": "sen1floods11",
    "PASTIS": "pastis",
    "LEVIR-CD": "levir-cd",
    "OSCD": "oscd",
    "m-bigearthnet": "m-bigearthnet",
    "m-so2sat": "m-so2sat",
    "m-eurosat": "m-eurosat",
}


#: What averages and ranks are taken over: few backbones read anything else.
MODALITIES: tuple[Modality, ...] = ("optical", "multispectral")


@dataclass(frozen=True)
class Group:
    """Benchmarks that a table averages: of a task if named, of one modality if named, else of the paper's two."""

    task: Task | None = None
    modality: str | None = None

    @property
    def title(self) -> str:
        return f"{self.modality} average" if self.modality else "average"

    def members(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that it holds, in their order."""
        return [name for name in names if self._holds(BENCHMARKS[name])]

    def _holds(self, entry: Benchmark) -> bool:
        modalities = (self.modality,) if self.modality else MODALITIES
        return self.task in (None, entry.task) and entry.modality in modalities


#: The averages of the paper's tables, by the names that claims give them.
AVERAGES: dict[str, Group] = {
    "optical avg": Group("segmentation", "optical"),
    "MS avg": Group("segmentation", "multispectral"),
    "overall avg": Group("segmentation"),
    "seg average": Group("segmentation"),
    "avg(LEVIR,OSCD)": Group("change"),
    "cd average": Group("change"),
    "avg": Group("classification"),
    "cls average": Group("classification"),
}


@dataclass(frozen=True)
class Model:
    """Whom a claim is about. backbone: of ours with the same released weights. arm: pretrained here by the same method.

    An arm's score answers the claim only at scale `PAPER`, or `ABLATED` for the ablation's; at another scale it stands
    beside it.
    """

    backbone: str = ""
    arm: str = ""


#: The name that claims give a model -> ours. A model that is absent here has no counterpart in brew.
MODELS: dict[str, Model] = {
    "DEO Swin-B": Model("deo-swin-b", "deo"),
    "Base (MS self-distillation only)": Model(arm="ms-only"),
    "+DINOv3 [cls]": Model(arm="class-token"),
    "+Separate optical path": Model(arm="optical-path"),
    "+DINOv3 [p]": Model(arm="patch-tokens"),
    "+Optical augmentation": Model(arm="augmented"),
    "+High-res optical": Model(arm="deo"),
    "DINOv3-B": Model("dinov3-b"),
    "DINOv3-LS": Model("dinov3-l-sat"),
    "Copernicus-FM": Model("copernicus-fm"),
    "DOFA-B16": Model("dofa"),
    "Panopticon-B14": Model("panopticon"),
    "ResNet50-U-Net-timm": Model("unet-resnet50"),
    "imagestats": Model("band-statistics"),
    "tgeo_croma_base": Model("croma"),
    "tgeo_dofa_base": Model("dofa"),
    "tgeo_panopticon": Model("panopticon"),
    "tgeo_scalemae_large_fmow": Model("scale-mae"),
    "vit_large_patch16_dinov3sat": Model("dinov3-l-sat"),
}


def paper_benchmarks() -> list[str]:
    """The paper's thirteen in its order, as far as BENCHMARKS declares them."""
    return [name for name in DATASETS.values() if name in BENCHMARKS]
