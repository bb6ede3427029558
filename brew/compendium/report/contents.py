"""What the report of a scale shows, in its order: results, then how they came about, then what they are made from."""

from dataclasses import dataclass

from brew.compendium.report.paper import TASKS
from brew.compendium.scales import MINIATURE

_EARTH = (
    "the embedded miniature: a procedural Earth rendered from spectra and shapes, no real imagery. No number here can "
    "be compared with the paper's, and none can reproduce one of its claims."
)
#: The first paragraph of a scale's report: what the scale is.
LEADS = {
    MINIATURE: f"Dual-teacher distillation run end to end, to show that every step works, on {_EARTH}",
    "study": "What does each teacher add? The whole ablation, its core arms pretrained five times, the others once, in "
    f"a way that was fixed before the answer was known (docs/study.md), on {_EARTH}",
    "radar": f"A third teacher, for Sentinel-1: what a student learns of radar (record 0026), on {_EARTH}",
    "beyond": "What the paper leaves open: dates, labels, the teacher's strength, by a rule that was fixed before the "
    f"answers were known (docs/study-beyond.md), on {_EARTH}",
    "misaligned": f"The two images of a pretraining pair shifted, turned or taken on two dates, on {_EARTH}",
    "gpu": f"A larger student, with views of the paper's sizes, on {_EARTH}",
    "ablation": "The paper's ablation at the size that the names of the authors' runs tell: a Swin-T, 50,000 pairs of "
    "fMoW, 50 epochs. Benchmarks are scored by brew's protocol and by the authors'.",
    "paper": "The paper's own run: a Swin-B pretrained on 500,000 pairs of fMoW for 100 epochs, beside every other "
    "backbone, on the paper's thirteen benchmarks, by brew's protocol and by the authors'.",
    "paper-vit": "The paper's own run with its other trunk, a ViT-B/8.",
    "real": "Dual-teacher distillation on real imagery at hand (docs/real.md): OSCD's training cities for ten bands, "
    "aerial images for the optical stem, an ImageNet network as optical teacher and once another that learned by "
    "itself, a small Swin trained on two CPU cores, five arms with three seeds each. The paper's numbers belong to a "
    "Swin-B pretrained on 500,000 images and are not comparable.",
}


@dataclass(frozen=True)
class Chapter:
    """A page of the report: its charts, then its pictures, then its tables, of those that the scale has.

    figures: stage -> pattern of its PNG files. tables: names of files. charts: patterns of names of charts.
    """

    title: str
    text: str
    figures: tuple[tuple[str, str], ...] = ()
    tables: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()


CHAPTERS = (
    Chapter(
        "Results",
        "Frozen features of every backbone under one protocol: decoders of a fixed length or a probe, tested once.",
        (),
        (*TASKS, "ranks", "differences", "doubts"),
        ("scores", "optical-and-multispectral"),
    ),
    Chapter(
        "Ablation",
        "Which teacher, path, token and view brings what: every arm, and its gains over the same student without.",
        (),
        ("ablation", "gains", "teachers"),
        ("gains-over-*[a-z]", "teachers"),
    ),
    Chapter(
        "Beyond the paper",
        "Dates, labels and the teacher's strength: the questions of docs/study-beyond.md, answered by its rule.",
        (),
        ("beyond-answers",),
        ("answers-*",),
    ),
    Chapter("Radar", "Beside chance and the untrained trunk, since no other backbone reads it.", (), ("radar",)),
    Chapter(
        "Few labels",
        "The same benchmarks from a share of the training labels.",
        (),
        ("low-data-gains", "low-data"),
        ("few-labels", "gains-over-*[0-9]"),
    ),
    Chapter(
        "Paper tables",
        "The same tables over the paper's thirteen benchmarks; numbers of the paper are marked as such.",
        (),
        (*(f"paper-{task}" for task in TASKS), "paper-ranks", "paper-ablation", "paper-low-data", "needs"),
    ),
    Chapter(
        "Claims",
        "What the paper states, which numbers are claimed of it, and what this scale can say to both. Numbers of other "
        "projects stand last, apart from them.",
        (),
        ("statements", "claims", "ledger", "ledger-context"),
    ),
    Chapter(
        "Change",
        "Change between two dates, beside change vector analysis and a supervised network.",
        (("change", "*.png"),),
        ("exact-tests", "oscd-cities"),
    ),
    Chapter("Segmentation", "Maps of the test images that show most classes.", (("segmentation", "*.png"),)),
    Chapter(
        "Features",
        "What the backbones tell apart without any label.",
        (("features", "*.png"), ("cases", "*.png")),
    ),
    Chapter(
        "Representation similarity",
        "How close each student comes to the optical teacher, layer by layer, and whether contrast helps.",
        (("similarity", "*.png"),),
        ("similarity-differences", "similarity"),
    ),
    Chapter(
        "Pretraining",
        "What each arm maximises, by name, and what it has learned along the way if the scale kept that.",
        (("progress", "*.png"),),
        ("progress", "progress-by-benchmark"),
        ("training",),
    ),
    Chapter("Optical teacher", "The frozen model that the student is distilled from.", (("optical-teacher", "*.png"),)),
    Chapter("Data", "What everything above was made from.", (("data", "*.png"),)),
)
